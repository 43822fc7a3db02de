package systemd

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// oddNames are names of folders that would be something else if they were not quoted: for systemd's units, for its files of
// variables, for rouse's own lists.
var oddNames = []string{"a b", `a"b`, "a'b", `a\b`, `a\x41`, `a\`, "a%nb", "a%", "a%%b", "a$HOME", "a${HOME}b", "a$$b", "a;b", "#a", "a #b", " a", "a ", "-a", "a,b", "a:b", "a=b", "+a", "é", "日本", "a`id`b", "(a)", "~", "@a", "!a", "a&b", "a*b", "[a]", "{a}"}

// Without this the name of a folder could become a setting of its unit, or the site another one: whatever it is called, it is
// served, also from a home, or it is refused in one line.
func TestInstallOddFolders(t *testing.T) {
	t.Parallel()
	needsSystemd(t)
	t.Cleanup(func() { os.RemoveAll("/home/odd") })
	client := program.Client(t, nil).HTTP1
	depth := 11
	if isLong() {
		depth = 1
	}
	for names := range slices.Chunk(oddNames, depth) {
		folder := filepath.Join(append([]string{"/home/odd"}, names...)...)
		folderWith(t, folder, names[0]+"\n")
		installs(t, "odd", "--name=odd", "--tls=false", "--listen=http=127.0.0.1:9150", folder)
		if got := page(t, client, "http://127.0.0.1:9150/"); got != names[0]+"\n" {
			t.Errorf("%q: %q", folder, got)
		}
	}
}

// What cannot be said to systemd is refused, in one line, before anything is written; what can is in the unit as it is.
func TestInstallOddValues(t *testing.T) {
	t.Parallel()
	needsSystemd(t)
	folder := folderWith(t, "/srv/values", "")
	for _, path := range []string{"/srv/values/two\nlines", "/srv/values/bell\a", "/srv/values/not\xffutf8", "/home/values/two\nlines"} {
		folderWith(t, path, "")
	}
	odd := filepath.Join(folder, `it's "a" %n$HOME\ program`)
	writeFile(t, odd, "#!/bin/sh\nexec cat\n")
	if err := os.Chmod(odd, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll("/home/values") })
	site := func(args ...string) []string {
		return append([]string{"install", "--dry-run", "--name=values", "--tls=false"}, args...)
	}
	for _, args := range [][]string{
		site("--listen=http=9151", "/srv/values/two\nlines"),
		site("--listen=http=9151", "/srv/values/bell\a"), site("--listen=http=9151", "/srv/values/not\xffutf8"),
		site("--listen=http=9151", "/home/values/two\nlines"),
		site("--listen=http=/run/a b.sock", folder), site("--listen=http=/run/a%b.sock", folder),
		site("--listen=http=/run/a\nListenStream=9152", folder), site("--listen=http=/run/\"a\".sock", folder), site("--listen=http=relative.sock", folder),
		site("--listen=http=/run/"+strings.Repeat("x", 120), folder), site("--listen=http=/srv/values", folder), site("--listen=http=/run/", folder),
		site("--listen=http=70000", folder), site("--listen=http=-1", folder), site("--listen=http=0", folder), site("--listen=http=127.0.0.1:http", folder),
		site("--listen=http=[fe80::1%lo]:9151", folder),
		site("--listen=http=010.0.0.1:9151", folder), site("--listen=http=*:9151", folder), site("--listen=a b=9151", folder),
		site("--listen=http=/run/a.sock?mode=9", folder), site("--listen=http=/run/a.sock?mode=07777", folder),
		site("--listen=http=9151", "--log-level=\n", folder), site("--listen=http=9151", "--cors-allow-origins=a\nExecStart=/bin/sh", folder),
		site("--listen=http=9151", "--config-file=/srv/values/two\nlines/x.toml", folder), site("--listen=http=9151", "--account=ro ot", folder),
		site("--listen=http=9151", "--account=root\nx", folder), site("--listen=http=9151", "--account=%i", folder),
		{"install", "--dry-run", "--name=values", "--listen=9151", "--host-name=a\nb", folder}, {"install", "--dry-run", "--name=values", "--listen=9151", "--host-name=%n", folder},
		{"install", "--dry-run", "--name=values", "inetd", "--listen=a%n=9151", "--", "cat"}, {"install", "--dry-run", "--name=values", "inetd", "--listen=a:b=9151", "--", "cat"},
		{"install", "--dry-run", "--name=values", "inetd", "--listen=a\nb=9151", "--", "cat"}, {"install", "--dry-run", "--name=values", "inetd", "--listen=é=9151", "--", "cat"},
		{"install", "--dry-run", "--name=values", "inetd", "--listen=" + strings.Repeat("n", 300) + "=9151", "--", "cat"},
		{"install", "--dry-run", "--name=values", "inetd", "--listen=a=9151", "--listen=A=9152", "--listen=a/b=9153", "--", "cat"},
		{"install", "--dry-run", "--name=values", "inetd", "--listen=9151", "--", odd}, {"install", "--dry-run", "--name=values", "run", "--listen=9151", "--", "sh", "-c", strings.Repeat("x", 70000)},
		{"install", "--dry-run", "--name=values", "run", "--listen=9151", "--", "sh", "\xff\xfe"},
	} {
		got := try(t, rousePath, args...)
		good := got.code == 0 && got.stderr == ""
		refused := (got.code == 2 || got.code == 78) && strings.HasPrefix(got.stderr, "rouse: ") && strings.Count(got.stderr, "\n") == 1 && got.stdout == ""
		if !good && !refused {
			t.Errorf("rouse %.200q ends with %d\n%.1000s%.1000s", args, got.code, got.stdout, got.stderr)
		}
	}
	noTraces(t, "values")
}

// Certificates, rules and programs have names too.
func TestInstallOddFiles(t *testing.T) {
	t.Parallel()
	needsSystemd(t)
	folder := folderWith(t, `/srv/files/it's "a" %n $HOME: b\n`, "files\n")
	t.Cleanup(func() { os.RemoveAll("/srv/files") })
	secrets := folderWith(t, `/srv/files/'"%n$HOME;#:é`, "") // a blank or a backslash in there is too much for newer systemds
	cert, key, pool := program.KeyPair(t, secrets)
	if err := os.Chmod(key, 0o600); err != nil {
		t.Fatal(err)
	}
	blank := folder + "/tls.crt"
	if err := copyFile(cert, blank, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := try(t, rousePath, "install", "--name=files", "--listen=https=127.0.0.1:9155", "--tls-cert", blank, "--tls-key", key, folder); got.code != 78 || !strings.Contains(got.stderr, "blank") {
		t.Errorf("a certificate with a blank in its path: %+v", got)
	}
	writeFile(t, folder+"/options.toml", headerOption("odd"))
	installs(t, "files", "--name=files", "--listen=https=127.0.0.1:9155", "--tls-cert", cert, "--tls-key", key, "--config-file", folder+"/options.toml", folder)
	client := program.Client(t, pool).HTTP2
	if got := page(t, client, "https://127.0.0.1:9155/"); got != "files\n" {
		t.Errorf("it serves %q", got)
	}
	reply, err := client.Get("https://127.0.0.1:9155/")
	if err != nil {
		t.Fatal(err)
	}
	reply.Body.Close()
	if got := reply.Header.Get("X-Edition"); got != "odd" {
		t.Errorf("its file of options says %q", got)
	}
	if units := fmt.Sprint(statusOf(t, "files").Units); strings.Contains(units, "renew") {
		t.Errorf("a certificate of one's own is renewed by %s", units)
	}
	script := filepath.Join("/srv/files", "an odd %n $HOME program;")
	writeFile(t, script, "#!/bin/sh\necho started\n")
	if err := os.Chmod(script, 0o755); err != nil {
		t.Fatal(err)
	}
	installsProgram(t, "script", "inetd", "--name=script", "--listen=127.0.0.1:9156", "--", script)
	if got := talk(t, "127.0.0.1:9156", ""); got != "started\n" {
		t.Errorf("the program says %q", got)
	}
}
