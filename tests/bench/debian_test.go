package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestLibraries(t *testing.T) {
	const depends = `nginx
  Depends: libc6
 |Depends: libpcre2-8-0
  Depends: zlib1g
  Depends: iproute2
  PreDepends: dpkg
  Depends: <debconf-2.0>
    cdebconf
`
	if got := libraries([]byte(depends)); !slices.Equal(got, []string{"libc6", "libpcre2-8-0", "zlib1g"}) {
		t.Errorf("got %q", got)
	}
}

func TestUnpackedProgramIsFoundWithItsLibraries(t *testing.T) {
	cache := t.TempDir()
	root := filepath.Join(cache, "a-package")
	libraries := filepath.Join(root, "usr/lib/x86_64-linux-gnu")
	for _, folder := range []string{filepath.Join(root, "usr/sbin"), libraries} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	const name = "a-program-that-nobody-installs"
	path := filepath.Join(root, "usr/sbin", name)
	if err := os.WriteFile(path, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	f := finder{cache: cache, notes: io.Discard}
	got, err := f.find(t.Context(), name, "another-package", "a-package")
	if err != nil {
		t.Fatal(err)
	}
	if got.path != path || !got.unpacked || !slices.Equal(got.env, []string{"LD_LIBRARY_PATH=" + libraries}) {
		t.Errorf("got %+v", got)
	}
}
