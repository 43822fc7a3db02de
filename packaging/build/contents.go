package main

import (
	_ "embed"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rouse-server/rouse/packaging"
)

var (
	//go:embed debian/copyright
	debianCopyright []byte
	//go:embed debian/changelog
	debianChangelog string
	//go:embed debian/lintian-overrides
	lintianOverrides []byte
	//go:embed rpm/80-rouse.preset
	rpmPreset []byte
	//go:embed site/index.html
	firstPage []byte
	//go:embed site/dispatch.toml
	dispatchRules []byte
)

// content is a file or folder that a package installs, for root.
type content struct {
	path   string
	text   []byte
	mode   fs.FileMode
	folder bool
	config bool     // changes of the machine's administrator stay
	only   []string // the kinds of packages it is for; empty: all
}

func folder(path string, only ...string) content {
	return content{path: path, folder: true, mode: 0o755, only: only}
}

const (
	unitFolder    = "/usr/lib/systemd/system"
	configFolder  = "/etc/rouse"
	exampleFolder = "/usr/share/rouse"
	docFolder     = "/usr/share/doc/rouse"
	termsFolder   = "/usr/share/licenses/rouse"
)

// contents is what packages install: one table for all kinds.
func (r *release) contents(arch string) ([]content, error) {
	program, err1 := os.ReadFile(r.binaries[target{"linux", arch}].path)
	readme, err2 := os.ReadFile(filepath.Join(r.root, "README.md"))
	terms, err3 := os.ReadFile(filepath.Join(r.root, "LICENSE"))
	shipped, err4 := shippedFiles()
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return nil, err
	}
	list := append(shipped,
		content{path: "/usr/bin/rouse", text: program, mode: 0o755},
		content{path: configFolder + "/dispatch.toml", text: dispatchRules, config: true},
		// A folder that is not named here outlives an RPM.
		folder(configFolder), folder(configFolder+"/run"), folder(configFolder+"/inetd"), folder(docFolder), folder(exampleFolder),
		folder(path.Dir(termsFolder), "rpm", "apk"), folder(termsFolder, "rpm", "apk"),
		folder("/usr/share/zsh", "rpm", "apk"), folder("/usr/share/zsh/site-functions", "rpm", "apk"),
		content{path: exampleFolder + "/index.html", text: firstPage},
		content{path: docFolder + "/README.md.gz", text: document(readme)},
		content{path: docFolder + "/modules.gz", text: document(r.notices)},
		content{path: docFolder + "/copyright", text: debianCopyright},
		content{path: termsFolder + "/LICENSE", text: terms, only: []string{"rpm", "apk"}}, // Debian has it already
		content{path: docFolder + "/changelog.Debian.gz", text: document(r.changelog()), only: []string{"deb"}},
		content{path: "/usr/share/lintian/overrides/rouse", text: lintianOverrides, only: []string{"deb"}},
		content{path: "/usr/lib/systemd/system-preset/80-rouse.preset", text: rpmPreset, only: []string{"rpm"}},
	)
	for i := range list {
		if list[i].mode == 0 {
			list[i].mode = 0o644
		}
	}
	slices.SortFunc(list, func(a, b content) int { return strings.Compare(a.path, b.path) })
	return list, nil
}

// shippedFiles are those of package packaging that Linux has a place for.
func shippedFiles() ([]content, error) {
	var list []content
	files := packaging.Files()
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(files, name)
		if err == nil {
			list = append(list, places(name, text)...)
		}
		return err
	})
	return list, err
}

// places says where one of these files is installed; nowhere if it is another system's.
func places(name string, text []byte) []content {
	base := path.Base(name)
	switch folder, _, _ := strings.Cut(name, "/"); {
	case folder == "systemd" && path.Ext(base) == ".env":
		return []content{{path: configFolder + "/" + base, text: text, config: true}}
	case folder == "systemd":
		return []content{{path: unitFolder + "/" + base, text: text}}
	case folder == "man":
		return []content{{path: "/usr/share/man/man" + strings.TrimPrefix(path.Ext(base), ".") + "/" + base + ".gz", text: document(text)}}
	case base == "rouse.bash":
		return []content{{path: "/usr/share/bash-completion/completions/rouse", text: text}}
	case base == "rouse.fish":
		return []content{{path: "/usr/share/fish/vendor_completions.d/rouse.fish", text: text}}
	case base == "_rouse":
		return []content{
			{path: "/usr/share/zsh/vendor-completions/_rouse", text: text, only: []string{"deb"}},
			{path: "/usr/share/zsh/site-functions/_rouse", text: text, only: []string{"rpm", "apk"}},
		}
	}
	return nil
}

// changelog is Debian's: one entry, which points to the notes of the release.
func (r *release) changelog() []byte {
	return []byte(strings.NewReplacer(
		"@VERSION@", r.version.debian()+"-"+debianRevision, "@RELEASE@", r.version.String(),
		"@MAINTAINER@", maintainer, "@DATE@", r.time.Format(time.RFC1123Z),
	).Replace(debianChangelog))
}
