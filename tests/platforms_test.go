package tests

import (
	"debug/elf"
	"debug/macho"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// target is a platform that Rouse is built for.
type target struct{ os, arch string }

func targets() []target {
	return []target{{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "amd64"}, {"darwin", "arm64"}}
}

func (p target) String() string { return p.os + "/" + p.arch }

// env returns the environment in which the go command builds for the target.
func (p target) env() []string {
	return append(os.Environ(), "CGO_ENABLED=0", "GOOS="+p.os, "GOARCH="+p.arch)
}

func TestBinaries(t *testing.T) {
	for _, p := range targets() {
		t.Run(p.String(), func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "rouse")
			build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", file, "./cmd/rouse")
			build.Dir, build.Env = root, p.env()
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("go build ./cmd/rouse: %v\n%s", err, out)
			}
			if p.os == "darwin" {
				checkMachO(t, file, p.arch == "arm64")
			} else {
				checkStatic(t, file)
			}
		})
	}
}

// checkStatic holds that the binary needs no dynamic linker and no library, so that it runs in an empty image.
func checkStatic(t *testing.T, file string) {
	image, err := elf.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer image.Close()
	for _, program := range image.Progs {
		if program.Type == elf.PT_INTERP {
			t.Error("has a PT_INTERP header: it is dynamically linked")
		}
	}
	if libraries, err := image.ImportedLibraries(); err == nil && len(libraries) > 0 {
		t.Errorf("needs the libraries %v", libraries)
	}
}

// checkMachO holds that the binary calls launchd through libSystem, needs nothing that a plain macOS lacks, and carries
// the signature without which arm64 runs nothing.
func checkMachO(t *testing.T, file string, signed bool) {
	image, err := macho.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer image.Close()
	symbols, err := image.ImportedSymbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"_launch_activate_socket", "_free"} {
		if !slices.Contains(symbols, want) {
			t.Errorf("does not import %s", want)
		}
	}
	libraries, err := image.ImportedLibraries()
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(libraries)
	// libresolv is net's; the frameworks are crypto/x509's, which asks macOS whether it trusts a certificate.
	want := []string{
		"/System/Library/Frameworks/CoreFoundation.framework/Versions/A/CoreFoundation",
		"/System/Library/Frameworks/Security.framework/Versions/A/Security",
		"/usr/lib/libSystem.B.dylib",
		"/usr/lib/libresolv.9.dylib",
	}
	if !slices.Equal(libraries, want) {
		t.Errorf("needs the libraries %q, want %q", libraries, want)
	}
	if signed && !hasCodeSignature(image) {
		t.Error("has no LC_CODE_SIGNATURE")
	}
}

func hasCodeSignature(image *macho.File) bool {
	const loadCommand = 0x1d // LC_CODE_SIGNATURE in mach-o/loader.h
	return slices.ContainsFunc(image.Loads, func(load macho.Load) bool {
		return binary.LittleEndian.Uint32(load.Raw()) == loadCommand
	})
}
