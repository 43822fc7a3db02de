package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
)

// modules are those whose code is in any of the binaries, by path.
func (r *release) modules() []*debug.Module {
	found := map[string]*debug.Module{}
	for _, b := range r.binaries {
		for _, m := range b.info.Deps {
			m = cmp.Or(m.Replace, m)
			found[m.Path] = m
		}
	}
	return slices.SortedFunc(maps.Values(found), func(a, b *debug.Module) int { return cmp.Compare(a.Path, b.Path) })
}

// collectNotices puts the licences of all modules, and Go's own, into one text: most want to go where their code goes.
func (r *release) collectNotices(ctx context.Context) ([]byte, error) {
	var text bytes.Buffer
	text.WriteString("Rouse is one program with the code of these modules in it. Their licences follow.\n")
	goroot, err := output(ctx, r.root, nil, "go", "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	if err := appendLicences(&text, "The Go standard library", goroot); err != nil {
		return nil, err
	}
	modules := r.modules()
	list := []string{"list", "-m", "-f", "{{.Dir}}"}
	for _, m := range modules {
		list = append(list, m.Path)
	}
	folders, err := output(ctx, r.root, nil, "go", list...)
	if err != nil {
		return nil, err
	}
	for i, dir := range strings.Split(folders, "\n") {
		if err := appendLicences(&text, modules[i].Path+" "+modules[i].Version, dir); err != nil {
			return nil, err
		}
	}
	return text.Bytes(), nil
}

// appendLicences appends what stands in the folder of a module about its licence, which has to be something.
func appendLicences(text *bytes.Buffer, name, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("look for the licence of %s: %w", name, err)
	}
	found := false
	for _, entry := range entries {
		if entry.IsDir() || !regexp.MustCompile(`(?i)^(licen[cs]e|copying|copyright|notice|patents)([.-].*)?$`).MatchString(entry.Name()) {
			continue
		}
		licence, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return err
		}
		found = true
		fmt.Fprintf(text, "\n%s\n%s: %s\n\n%s\n", strings.Repeat("-", 78), name, entry.Name(), bytes.TrimSpace(licence))
	}
	if !found {
		return fmt.Errorf("%s has no licence in %s", name, dir)
	}
	return nil
}
