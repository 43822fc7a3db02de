package packages

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What every kind of package installs.
func installed() []string {
	return []string{
		"/etc/rouse/dispatch.toml",
		"/etc/rouse/rouse.env",
		"/usr/bin/rouse",
		"/usr/lib/systemd/system/rouse-dispatch.service",
		"/usr/lib/systemd/system/rouse-http.socket",
		"/usr/lib/systemd/system/rouse-inetd@.service",
		"/usr/lib/systemd/system/rouse-inetd@.socket",
		"/usr/lib/systemd/system/rouse-renew.service",
		"/usr/lib/systemd/system/rouse-renew.timer",
		"/usr/lib/systemd/system/rouse-run@.service",
		"/usr/lib/systemd/system/rouse-run@.socket",
		"/usr/lib/systemd/system/rouse.service",
		"/usr/lib/systemd/system/rouse.socket",
		"/usr/share/bash-completion/completions/rouse",
		"/usr/share/doc/rouse/README.md.gz",
		"/usr/share/doc/rouse/copyright",
		"/usr/share/doc/rouse/modules.gz",
		"/usr/share/fish/vendor_completions.d/rouse.fish",
		"/usr/share/man/man1/rouse-dispatch.1.gz",
		"/usr/share/man/man1/rouse-inetd.1.gz",
		"/usr/share/man/man1/rouse-install.1.gz",
		"/usr/share/man/man1/rouse-run.1.gz",
		"/usr/share/man/man1/rouse.1.gz",
		"/usr/share/man/man5/rouse.toml.5.gz",
		"/usr/share/rouse/index.html",
	}
}

// Errors and warnings are for us to mend; what is overridden has its reason in packaging/build/debian/lintian-overrides.
func TestLintian(t *testing.T) {
	t.Parallel()
	needs(t, "lintian")
	out, err := try(t, "lintian", "--allow-root", "--fail-on", "error,warning", "--tag-display-limit", "0", deb("first", version))
	if err != nil || strings.TrimSpace(out) != "" {
		t.Errorf("lintian: %v\n%s", err, out)
	}
}

func TestDeb(t *testing.T) {
	t.Parallel()
	needs(t, "dpkg-deb")
	contains(t, "control", run(t, "dpkg-deb", "--field", deb("first", version)),
		"Package: rouse", "Version: 1.0.0-1", "Architecture: amd64", "Section: httpd", "Priority: optional")
	contains(t, "architecture", run(t, "dpkg-deb", "--field", made("first", "rouse_"+version+"_arm64.deb")), "Architecture: arm64")
	contains(t, "conffiles", run(t, "dpkg-deb", "--info", deb("first", version), "conffiles"), "/etc/rouse/dispatch.toml", "/etc/rouse/rouse.env")
	listing := run(t, "dpkg-deb", "--contents", deb("first", version))
	var paths []string
	for line := range strings.Lines(listing) {
		fields := strings.Fields(line)
		if fields[1] != "root/root" {
			t.Errorf("not root's: %s", line)
		}
		paths = append(paths, strings.TrimPrefix(fields[5], "."))
	}
	contains(t, "contents", strings.Join(paths, "\n"), append(installed(), "/usr/share/zsh/vendor-completions/_rouse", "/usr/share/doc/rouse/changelog.Debian.gz")...)
}

func TestRPM(t *testing.T) {
	t.Parallel()
	needs(t, "rpm")
	contains(t, "contents", run(t, "rpm", "-qlp", rpm("first", version)),
		append(installed(), "/usr/share/zsh/site-functions/_rouse", "/usr/share/licenses/rouse/LICENSE", "/usr/lib/systemd/system-preset/80-rouse.preset")...)
	contains(t, "configuration", run(t, "rpm", "-qp", "--configfiles", rpm("first", version)), "/etc/rouse/dispatch.toml", "/etc/rouse/rouse.env")
	contains(t, "header", run(t, "rpm", "-qp", "--queryformat", `%{NAME} %{VERSION} %{RELEASE} %{ARCH} %{LICENSE}\n`, rpm("first", version)),
		"rouse 1.0.0 1 x86_64 Apache-2.0")
	contains(t, "header", run(t, "rpm", "-qp", "--queryformat", `%{ARCH}\n`, made("first", "rouse_"+version+"_aarch64.rpm")), "aarch64")
	if out := run(t, "rpm", "-K", "--nosignature", rpm("first", version)); !strings.Contains(out, "digests OK") {
		t.Error(out)
	}
}

// There is no apk to ask, but its packages are tar archives, one behind the other.
func TestAPK(t *testing.T) {
	t.Parallel()
	for _, arch := range []string{"x86_64", "aarch64"} {
		files := unpack(t, made("first", "rouse_"+version+"_"+arch+".apk"))
		var paths []string
		for name := range files {
			paths = append(paths, "/"+name)
		}
		contains(t, "contents", strings.Join(paths, "\n"), append(installed(), "/usr/share/zsh/site-functions/_rouse", "/usr/share/licenses/rouse/LICENSE")...)
		contains(t, ".PKGINFO", string(files[".PKGINFO"]), "pkgname = rouse", "pkgver = 1.0.0-r0", "arch = "+arch, "license = Apache-2.0")
		if files[".post-install"] != nil {
			t.Error("has a script, where no manager could hand over sockets")
		}
	}
}

func TestArchives(t *testing.T) {
	t.Parallel()
	for _, platform := range []string{"linux_amd64", "linux_arm64", "darwin_amd64", "darwin_arm64", "darwin_universal"} {
		folder := "rouse_" + version + "_" + platform
		files := unpack(t, made("first", folder+".tar.gz"))
		for _, name := range []string{
			"rouse", "README.md", "LICENSE", "MODULES", "man/rouse.1", "completions/_rouse", "systemd/rouse.service",
			"launchd/agent/io.github.rouse-server.rouse.plist",
		} {
			if len(files[folder+"/"+name]) == 0 {
				t.Errorf("%s: no %s", platform, name)
			}
		}
		if !bytes.Contains(files[folder+"/rouse"], []byte(version)) {
			t.Errorf("%s: the program does not know its version", platform)
		}
	}
}

// unpack returns the files of tar archives, compressed by gzip, of which the file has one or more, by name.
func unpack(t *testing.T, path string) map[string][]byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	plain := bytes.NewReader(text)
	files := map[string][]byte{}
	for plain.Len() > 0 {
		archive, err := gzip.NewReader(plain)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		archive.Multistream(false)
		untar(t, archive, files)
	}
	return files
}

// untar reads a tar archive to its end; one of apk's has none of the blocks that mark it.
func untar(t *testing.T, from io.Reader, files map[string][]byte) {
	t.Helper()
	archive := tar.NewReader(from)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[header.Name], err = io.ReadAll(archive); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.Copy(io.Discard, from); err != nil {
		t.Fatal(err)
	}
}

// The same source and version have the same bytes.
func TestSameBytes(t *testing.T) {
	t.Parallel()
	first, second := folder(t, "first"), folder(t, "second")
	if !slices.Equal(first, second) {
		t.Fatalf("first %q, then %q", first, second)
	}
	for _, name := range first {
		a, err1 := os.ReadFile(made("first", name))
		b, err2 := os.ReadFile(made("second", name))
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("%s has other bytes the second time", name)
		}
	}
}

// checksums.txt has all that there is beside it.
func TestChecksums(t *testing.T) {
	t.Parallel()
	list, err := os.ReadFile(made("first", "checksums.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, match := range regexp.MustCompile(`(?m)^[0-9a-f]{64}  (\S+)$`).FindAllStringSubmatch(string(list), -1) {
		names = append(names, match[1])
	}
	all := slices.DeleteFunc(folder(t, "first"), func(name string) bool { return name == "checksums.txt" })
	if !slices.Equal(names, all) {
		t.Errorf("checksums of %q, want %q", names, all)
	}
	run(t, "sh", "-c", `cd "$1" && sha256sum --check --strict --quiet checksums.txt`, "sh", made("first", ""))
}

// folder lists what was built, by name.
func folder(t *testing.T, build string) []string {
	t.Helper()
	entries, err := os.ReadDir(made(build, ""))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}
