package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// Who and what, in the words that packages have for it.
const (
	maintainer  = "The Rouse maintainers <rouse-server@users.noreply.github.com>"
	homepage    = "https://github.com/rouse-server/rouse"
	licence     = "Apache-2.0"
	summary     = "servers that sleep until someone knocks"
	description = summary + `
Rouse serves static files over HTTPS on sockets that systemd holds: the first
client starts it, and it goes away when nobody talks to it. It does the same
for any other server, such as nginx or PostgreSQL, unchanged, starts a process
for each connection as inetd does, and puts many servers behind one socket.

After the installation https://localhost:8443 and http://localhost:8080 answer,
for this machine alone.`
	debianRevision = "1"
	alpineRevision = "r0"
)

// These are nfpm's own words (nfpm.goreleaser.com/docs/configuration): it reads YAML, which JSON is.
type (
	nfpmConfig struct {
		Name            string        `json:"name"`
		Arch            string        `json:"arch"`
		Version         string        `json:"version"`
		VersionSchema   string        `json:"version_schema"`
		Release         string        `json:"release"`
		Section         string        `json:"section,omitempty"`
		Priority        string        `json:"priority,omitempty"`
		Maintainer      string        `json:"maintainer"`
		Description     string        `json:"description"`
		Homepage        string        `json:"homepage"`
		License         string        `json:"license,omitempty"`
		MTime           time.Time     `json:"mtime"`
		DisableGlobbing bool          `json:"disable_globbing"`
		Contents        []nfpmContent `json:"contents"`
		Scripts         nfpmScripts   `json:"scripts"`
		RPM             nfpmRPM       `json:"rpm"`
	}
	nfpmContent struct {
		Source string       `json:"src,omitempty"`
		Target string       `json:"dst"`
		Type   string       `json:"type,omitempty"`
		Info   nfpmFileInfo `json:"file_info"`
	}
	nfpmFileInfo struct {
		Owner string    `json:"owner"`
		Group string    `json:"group"`
		Mode  int       `json:"mode"`
		MTime time.Time `json:"mtime"`
	}
	nfpmScripts struct {
		PostInstall string `json:"postinstall,omitempty"`
		PreRemove   string `json:"preremove,omitempty"`
		PostRemove  string `json:"postremove,omitempty"`
	}
	nfpmRPM struct {
		Summary   string `json:"summary"`
		BuildHost string `json:"buildhost"`
	}
)

// packageKind is what differs between packages for one system and another.
type packageKind struct {
	name, version, release string
	arch                   func(string) string // the system's name for a processor
	scripts                map[string]string   // from their place in nfpmScripts to their file in packaging/build
	change                 func(*nfpmConfig)
}

func (r *release) makeDebs(ctx context.Context) error {
	return r.makePackages(ctx, packageKind{
		name: "deb", version: r.version.debian(), release: debianRevision,
		arch:    func(arch string) string { return arch },
		scripts: map[string]string{"postinstall": "debian/postinst.sh", "preremove": "debian/prerm.sh", "postremove": "debian/postrm.sh"},
		change:  func(c *nfpmConfig) { c.Section, c.Priority = "httpd", "optional" },
	})
}

func (r *release) makeRPMs(ctx context.Context) error {
	return r.makePackages(ctx, packageKind{
		name: "rpm", version: r.version.debian(), release: debianRevision, arch: kernelName,
		scripts: map[string]string{"postinstall": "rpm/post.sh", "preremove": "rpm/preun.sh", "postremove": "rpm/postun.sh"},
		change:  func(c *nfpmConfig) { c.License = licence },
	})
}

// makeAPKs makes packages without scripts: Alpine's service manager hands no sockets over, so there is nothing to open.
func (r *release) makeAPKs(ctx context.Context) error {
	return r.makePackages(ctx, packageKind{
		name: "apk", version: r.version.alpine(), release: alpineRevision, arch: kernelName,
		change: func(c *nfpmConfig) { c.License, c.Description = licence, summary },
	})
}

// kernelName is what uname -m says.
func kernelName(arch string) string {
	return map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[arch]
}

// makePackages makes the packages of one kind, one for each processor.
func (r *release) makePackages(ctx context.Context, kind packageKind) error {
	tool, err := nfpmTool(ctx, r.root)
	if err != nil {
		return err
	}
	for _, arch := range r.arches {
		folder := filepath.Join(r.work, kind.name+"-"+arch)
		if err := os.Mkdir(folder, 0o755); err != nil {
			return err
		}
		config, err := r.nfpmConfig(kind, arch, folder)
		if err != nil {
			return err
		}
		path := r.add("rouse_%s_%s.%s", r.version, kind.arch(arch), kind.name)
		environment := append(os.Environ(), "SOURCE_DATE_EPOCH="+strconv.FormatInt(r.time.Unix(), 10))
		if _, err := output(ctx, folder, environment, tool, "package", "--packager", kind.name, "--config", config, "--target", path); err != nil {
			return err
		}
	}
	return nil
}

// nfpmConfig writes what nfpm needs into a folder, and returns the path of its configuration.
func (r *release) nfpmConfig(kind packageKind, arch, folder string) (string, error) {
	contents, err := r.contents(arch)
	if err != nil {
		return "", err
	}
	c := nfpmConfig{
		Name: "rouse", Arch: arch, Version: kind.version, VersionSchema: "none", Release: kind.release,
		Maintainer: maintainer, Description: description, Homepage: homepage, MTime: r.time, DisableGlobbing: true,
		RPM: nfpmRPM{Summary: summary, BuildHost: "localhost"}, // by default the name of this machine
	}
	for i, content := range contents {
		if len(content.only) > 0 && !slices.Contains(content.only, kind.name) {
			continue
		}
		entry := nfpmContent{Target: content.path, Info: nfpmFileInfo{"root", "root", int(content.mode), r.time}}
		switch {
		case content.folder:
			entry.Type = "dir"
		case content.config:
			entry.Type = "config|noreplace"
		}
		if !content.folder {
			entry.Source = filepath.Join(folder, strconv.Itoa(i))
			if err := os.WriteFile(entry.Source, content.text, 0o644); err != nil {
				return "", err
			}
		}
		c.Contents = append(c.Contents, entry)
	}
	script := func(name string) string {
		if file := kind.scripts[name]; file != "" {
			return filepath.Join(r.root, "packaging", "build", file)
		}
		return ""
	}
	c.Scripts = nfpmScripts{script("postinstall"), script("preremove"), script("postremove")}
	kind.change(&c)
	text, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	path := filepath.Join(folder, "nfpm.yaml")
	return path, os.WriteFile(path, text, 0o644)
}

// nfpmTool returns the path of nfpm, in the version that packaging/build/nfpm pins. It is built once and stays in the user's
// cache folder.
func nfpmTool(ctx context.Context, root string) (string, error) {
	module := filepath.Join(root, "packaging", "build", "nfpm")
	sums, err := os.ReadFile(filepath.Join(module, "go.sum"))
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		// Not below the temporary folder: whoever put a program there first would make the packages.
		return "", fmt.Errorf("there is no folder of yours to keep nfpm in: set HOME (%w)", err)
	}
	path := filepath.Join(cache, "rouse-build", fmt.Sprintf("nfpm-%x", sha256.Sum256(sums))[:21])
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	fmt.Fprintln(os.Stderr, "build: compiling nfpm, which takes a minute the first time")
	host := append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
	// The go command replaces the file by rename, so several may do this at once.
	_, err = output(ctx, module, host, "go", "build", "-trimpath", "-o", path, "github.com/goreleaser/nfpm/v2/cmd/nfpm")
	return path, err
}
