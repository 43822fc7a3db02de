package main

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rouse-server/rouse/packaging"
)

// entry is a file in an archive, or a folder, whose name ends in a slash.
type entry struct {
	name string
	text []byte
	mode fs.FileMode
}

// makeArchives makes a tar.gz for each platform, with everything in it.
func (r *release) makeArchives(ctx context.Context) error {
	for _, t := range r.targets() {
		if !slices.Contains(r.arches, t.arch) {
			continue // for the universal binary alone
		}
		program, err := os.ReadFile(r.binaries[t].path)
		if err != nil {
			return err
		}
		if err := r.makeArchive(t.os+"_"+t.arch, program); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// makeArchive packs a program with all that belongs to it.
func (r *release) makeArchive(platform string, program []byte) error {
	entries := []entry{{"rouse", program, 0o755}, {"MODULES", r.notices, 0o644}, {"dispatch.toml", dispatchRules, 0o644}}
	for _, name := range []string{"README.md", "LICENSE"} {
		text, err := os.ReadFile(filepath.Join(r.root, name))
		if err != nil {
			return err
		}
		entries = append(entries, entry{name, text, 0o644})
	}
	files := packaging.Files()
	err := fs.WalkDir(files, ".", func(name string, file fs.DirEntry, err error) error {
		if err != nil || file.IsDir() {
			return err
		}
		text, err := fs.ReadFile(files, name)
		entries = append(entries, entry{name, text, 0o644})
		return err
	})
	if err != nil {
		return err
	}
	folder := fmt.Sprintf("rouse_%s_%s", r.version, platform)
	for i := range entries {
		entries[i].name = path.Join(folder, entries[i].name)
	}
	archive, err := tarball(entries, r.time)
	if err != nil {
		return err
	}
	return os.WriteFile(r.add("%s.tar.gz", folder), compress(archive), 0o644)
}

// tarball is a tar archive of the entries and the folders above them, sorted, of root, and all as old as the release.
func tarball(entries []entry, at time.Time) ([]byte, error) {
	folders := map[string]bool{}
	all := slices.Clone(entries)
	for _, e := range entries {
		folders[e.name] = true
	}
	for _, e := range entries {
		for dir := path.Dir(strings.TrimSuffix(e.name, "/")); dir != "."; dir = path.Dir(dir) {
			if !folders[dir+"/"] {
				folders[dir+"/"] = true
				all = append(all, entry{dir + "/", nil, 0o755})
			}
		}
	}
	slices.SortFunc(all, func(a, b entry) int { return cmp.Compare(a.name, b.name) })
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range all {
		header := &tar.Header{
			Name: e.name, Mode: int64(e.mode), Size: int64(len(e.text)), ModTime: at,
			Uname: "root", Gname: "root", Typeflag: tar.TypeReg, Format: tar.FormatUSTAR,
		}
		if strings.HasSuffix(e.name, "/") {
			header.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("archive %s: %w", e.name, err)
		}
		if _, err := w.Write(e.text); err != nil {
			return nil, fmt.Errorf("archive %s: %w", e.name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
