package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A program is an executable that was found on the machine or unpacked from Debian packages.
type program struct {
	path     string
	env      []string // LD_LIBRARY_PATH, where its libraries were unpacked beside it
	unpacked bool
}

// origin is what to print behind its version.
func (p program) origin() string {
	if p.unpacked {
		return " (unpacked)"
	}
	return ""
}

// root is the folder that an unpacked program stands in as it would in /.
func (p program) root() string {
	return filepath.Dir(filepath.Dir(filepath.Dir(p.path))) // of usr/sbin/NAME
}

// A finder looks for programs on the machine, then among those it unpacked earlier, then in Debian's archive.
type finder struct {
	cache string
	notes io.Writer
}

func newFinder(notes io.Writer) (finder, error) {
	cache, err := os.UserCacheDir() // $XDG_CACHE_HOME or ~/.cache
	if err != nil {
		return finder{}, fmt.Errorf("looking for a cache folder: %w; set XDG_CACHE_HOME", err)
	}
	return finder{cache: filepath.Join(cache, "rouse-tests", "bench"), notes: notes}, nil
}

// find returns the program of this name. Of packages, the first that holds it is unpacked when it is not installed; other packages
// that it needs may follow its name, after spaces.
func (f finder) find(ctx context.Context, name string, packages ...string) (program, error) {
	// Other users than root have no sbin in PATH.
	for _, file := range []string{name, "/usr/local/sbin/" + name, "/usr/sbin/" + name} {
		if path, err := exec.LookPath(file); err == nil {
			path, err = filepath.Abs(path)
			return program{path: path}, err
		}
	}
	for _, debian := range packages {
		if found, ok := unpackedProgram(f.folder(debian), name); ok {
			return found, nil
		}
	}
	var failures []error
	for _, debian := range packages {
		root := f.folder(debian)
		fmt.Fprintf(f.notes, "%s is not installed: unpacking the Debian package %s into %s\n", name, debian, root)
		if err := unpackDebian(ctx, debian, root); err != nil {
			failures = append(failures, err)
			continue
		}
		if found, ok := unpackedProgram(root, name); ok {
			return found, nil
		}
		failures = append(failures, fmt.Errorf("the package %s holds no %s", debian, name))
	}
	return program{}, fmt.Errorf("not found in PATH; %w", errors.Join(failures...))
}

// folder is where packages are unpacked together.
func (f finder) folder(packages string) string {
	return filepath.Join(f.cache, strings.ReplaceAll(packages, " ", "+"))
}

// programAt is the program that somebody named by its path. It will be started in a folder of its own.
func programAt(path string) (program, error) {
	path, err := filepath.Abs(path)
	if err == nil {
		path, err = exec.LookPath(path)
	}
	return program{path: path}, err
}

// firstLines runs a program to learn its version and returns the first lines of what it prints on either stream.
func firstLines(ctx context.Context, p program, count int, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.path, args...)
	cmd.Env = append(os.Environ(), p.env...)
	out, err := cmd.CombinedOutput()
	out = bytes.TrimSpace(out)
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || len(out) == 0) { // `wrk -v` prints its version and exits 1
		return "", fmt.Errorf("asking %s for its version: %w", p.path, err)
	}
	if len(out) == 0 {
		return "", fmt.Errorf("asking %s for its version: it printed nothing", p.path)
	}
	lines := strings.Split(string(out), "\n")
	return strings.Join(lines[:min(count, len(lines))], ", "), nil
}
