package files

import (
	"context"
	"crypto/sha256"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

func openFile(t *testing.T, content string) (*os.File, Identity) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "f")
	write(t, name, content)
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return file, identityOf(info)
}

func TestContentIsReadOnce(t *testing.T) {
	file, id := openFile(t, "content")
	hashes := newSums()
	first, err := hashes.ofFile(t.Context(), file, id)
	if err != nil {
		t.Fatal(err)
	}
	var waiting sync.WaitGroup
	for range 50 {
		waiting.Go(func() {
			// No file: whoever read again would fail.
			if tag, err := hashes.ofFile(t.Context(), nil, id); tag != first || err != nil {
				t.Errorf("tag is %x, %v", tag, err)
			}
		})
	}
	waiting.Wait()
}

func TestWaitersShareOneReading(t *testing.T) {
	file, id := openFile(t, "content")
	hashes := newSums()
	value := sha256.Sum256([]byte("x"))
	reading := &sum{done: make(chan struct{})}
	hashes.add(Variant{identity: id}, reading)
	var waiting sync.WaitGroup
	for range 50 {
		waiting.Go(func() {
			if tag, err := hashes.ofFile(t.Context(), nil, id); tag != value || err != nil {
				t.Errorf("tag is %x, %v", tag, err)
			}
		})
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := hashes.ofFile(ended, file, id); err != context.Canceled {
		t.Errorf("who went away still waits: %v", err)
	}
	reading.value = value
	close(reading.done)
	waiting.Wait()
}

func TestFailedReadingIsNotKept(t *testing.T) {
	file, id := openFile(t, "content")
	hashes := newSums()
	other := id
	other.size++ // as if the file had changed since
	if tag, err := hashes.ofFile(t.Context(), file, other); err == nil {
		t.Errorf("the tag of a changed file is %x", tag)
	}
	if len(hashes.kept) != 0 {
		t.Error("the failure is kept")
	}
}

func TestSumsAreBounded(t *testing.T) {
	hashes := newSums()
	for i := range maxSums + 100 {
		hashes.add(Variant{identity: Identity{inode: uint64(i)}}, &sum{})
	}
	if len(hashes.kept) != maxSums || hashes.kept[Variant{identity: Identity{inode: maxSums + 99}}] == nil {
		t.Errorf("%d tags are kept", len(hashes.kept))
	}
}

// What is known already is told to a client too that has just left: what is made for it may be kept for others.
func TestKnownHashForClientWhoLeft(t *testing.T) {
	file, id := openFile(t, "content")
	hashes := newSums()
	if _, err := hashes.ofFile(t.Context(), file, id); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 {
		if _, err := hashes.ofFile(ctx, nil, id); err != nil {
			t.Fatal(err)
		}
	}
}
