package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"
)

// Folders come before what is in them, each once, and all belongs to root.
func TestTarball(t *testing.T) {
	at := time.Unix(1700000000, 0)
	text, err := tarball([]entry{{"b/c/two", []byte("22"), 0o755}, {"b/one", []byte("1"), 0o644}, {"b/empty/", nil, 0o700}, {"a", nil, 0o600}}, at)
	if err != nil {
		t.Fatal(err)
	}
	var got string
	archive := tar.NewReader(bytes.NewReader(text))
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if !header.ModTime.Equal(at) || header.Uid != 0 || header.Uname != "root" {
			t.Errorf("%s: %v, of %d %s", header.Name, header.ModTime, header.Uid, header.Uname)
		}
		got += fmt.Sprintf("%s %o %d\n", header.Name, header.Mode, header.Size)
	}
	const want = "a 600 0\nb/ 755 0\nb/c/ 755 0\nb/c/two 755 2\nb/empty/ 700 0\nb/one 644 1\n"
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
