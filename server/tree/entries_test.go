package tree

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func entryNames(t *testing.T, tree *Tree, name string) string {
	t.Helper()
	entries, err := tree.Entries(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.Directory {
			e.Name += "/"
		}
		names = append(names, e.Name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func TestEntries(t *testing.T) {
	dir := folder(t, "a.txt", ".env", "deep/b", ".well-known/x", "deep/.well-known/x", "in -> a.txt", "folder -> deep", "out -> /etc", "broken -> x", "back\\slash")
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		o          Options
		name, want string
	}{
		{Options{}, ".", ".well-known/ a.txt deep/"},
		{Options{}, "deep", "b"},
		{Options{Hidden: true}, ".", ".env .well-known/ a.txt deep/"},
		{Options{Hidden: true}, "deep", ".well-known/ b"},
		{Options{Follow: true}, ".", ".well-known/ a.txt deep/ folder/ in"},
		{Options{Follow: true}, "folder", "b"},
	} {
		for way, tree := range ways(t, dir, test.o) {
			if got := entryNames(t, tree, test.name); got != test.want {
				t.Errorf("%s, %+v: %s has %q, want %q", way, test.o, test.name, got, test.want)
			}
		}
	}
}

func TestEntryDescribes(t *testing.T) {
	dir := folder(t, "a.txt", "link -> a.txt")
	when := time.Unix(1767323045, 678)
	if err := os.Chtimes(filepath.Join(dir, "a.txt"), when, when); err != nil {
		t.Fatal(err)
	}
	entries, err := open(t, dir, Options{Follow: true}).Entries(t.Context(), ".")
	if err != nil || len(entries) != 2 {
		t.Fatal(entries, err)
	}
	for _, e := range entries {
		if e.Size != 5 || !e.Modified.Equal(when) || e.Directory {
			t.Errorf("%+v", e)
		}
	}
}

func TestEntriesErrors(t *testing.T) {
	dir := folder(t, "a.txt", "link -> .")
	tree := open(t, dir, Options{})
	for name, want := range map[string]error{"missing": fs.ErrNotExist, "a.txt": syscall.ENOTDIR, "link": ErrLink, "..": fs.ErrNotExist} {
		if _, err := tree.Entries(t.Context(), name); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tree.Entries(ctx, "."); !errors.Is(err, context.Canceled) {
		t.Errorf("after its end: %v", err)
	}
}

func BenchmarkEntries(b *testing.B) {
	dir := folder(b)
	for i := range 10_000 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("file-%05d.txt", i)), nil, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	tree := open(b, dir, Options{})
	b.ReportAllocs()
	for b.Loop() {
		if entries, err := tree.Entries(b.Context(), "."); len(entries) != 10_000 {
			b.Fatal(len(entries), err)
		}
	}
}
