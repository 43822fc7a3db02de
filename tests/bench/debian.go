package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// unpackDebian downloads packages, and the libraries they depend on that are not installed, and unpacks them below root. names
// are separated by spaces. Nothing is installed or configured, and no maintainer script runs.
func unpackDebian(ctx context.Context, names, root string) error {
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	for _, tool := range []string{"apt-get", "apt-cache", "dpkg", "dpkg-query"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("unpacking the Debian package %s: %w; install %s by hand", names, err, names)
		}
	}
	if err := os.MkdirAll(filepath.Dir(root), 0o755); err != nil {
		return err
	}
	// Whole or not at all: what is renamed to root is complete.
	work, err := os.MkdirTemp(filepath.Dir(root), "."+filepath.Base(root)+"-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := download(ctx, strings.Fields(names), work); err != nil {
		return err
	}
	debs, err := filepath.Glob(filepath.Join(work, "*.deb"))
	if err != nil {
		return err
	}
	tree := filepath.Join(work, "root")
	for _, deb := range debs {
		if _, err := output(ctx, work, "dpkg", "-x", deb, tree); err != nil {
			return err
		}
	}
	return os.Rename(tree, root)
}

// download fetches packages and their missing libraries into dir; where no package lists are there yet, root fetches those.
func download(ctx context.Context, names []string, dir string) error {
	attempt := func() error {
		packages, err := missingLibraries(ctx, names)
		if err != nil {
			return err
		}
		// As another user (_apt) apt-get could not write into dir.
		args := append([]string{"-o", "APT::Sandbox::User=root", "download"}, slices.Concat(names, packages)...)
		_, err = output(ctx, dir, "apt-get", args...)
		return err
	}
	err := attempt()
	if err == nil || os.Geteuid() != 0 {
		return err
	}
	if _, err := output(ctx, dir, "apt-get", "update"); err != nil {
		return err
	}
	return attempt()
}

// missingLibraries follows the dependencies of packages through libraries and returns those that are not installed.
func missingLibraries(ctx context.Context, names []string) ([]string, error) {
	var missing []string
	queue := slices.Clone(names)
	for len(queue) > 0 {
		out, err := output(ctx, "", "apt-cache", "depends", "--no-recommends", "--no-suggests", queue[0])
		if err != nil {
			return nil, err
		}
		queue = queue[1:]
		for _, library := range libraries(out) {
			if slices.Contains(missing, library) || installed(ctx, library) {
				continue
			}
			missing = append(missing, library)
			queue = append(queue, library)
		}
	}
	return missing, nil
}

// libraries reads the output of apt-cache depends. Programs and data a package wants are left out: a server that serves
// files and a load generator run without them.
func libraries(depends []byte) []string {
	var names []string
	for lines := bufio.NewScanner(bytes.NewReader(depends)); lines.Scan(); {
		line := strings.TrimLeft(lines.Text(), " |") // a bar marks alternatives
		name, found := strings.CutPrefix(line, "Depends: ")
		if found && (strings.HasPrefix(name, "lib") || name == "zlib1g") {
			names = append(names, name)
		}
	}
	return names
}

func installed(ctx context.Context, name string) bool {
	status, err := output(ctx, "", "dpkg-query", "-W", "-f", "${db:Status-Status}\n", name)
	return err == nil && strings.HasPrefix(string(status), "installed")
}

// unpackedProgram looks for a program below the root of an unpacked package; its environment names the libraries there.
func unpackedProgram(root, name string) (program, bool) {
	for _, folder := range []string{"usr/sbin", "usr/bin", "sbin", "bin"} {
		path, err := exec.LookPath(filepath.Join(root, folder, name))
		if err != nil {
			continue
		}
		found := program{path: path, unpacked: true}
		var folders []string
		for _, pattern := range []string{"lib/*-linux-gnu*", "usr/lib/*-linux-gnu*"} {
			matches, _ := filepath.Glob(filepath.Join(root, pattern)) // the patterns are well formed
			folders = append(folders, matches...)
		}
		if len(folders) > 0 {
			found.env = []string{"LD_LIBRARY_PATH=" + strings.Join(folders, ":")}
		}
		return found, true
	}
	return program{}, false
}

// output runs a command in dir and returns what it printed; an error carries what it complained about.
func output(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return out, nil
}
