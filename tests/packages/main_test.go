// Package packages tests what `go run ./packaging/build` makes: that each kind of package is well formed, that a second
// build has the same bytes, and that the packages and the image do what they promise on a machine with systemd.
//
// TestMain builds everything, boots a systemd (tests/boot-systemd.sh), and runs this same test binary inside, where packages
// can be installed and removed for good. What that does to the machine is gone afterwards.
package packages

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	dirVariable    = "ROUSE_TEST_PACKAGES"   // the folder with what was built
	reasonVariable = "ROUSE_TEST_NO_SYSTEMD" // why there is no booted system
	insideVariable = "ROUSE_TEST_INSIDE"
	cannotRun      = 77 // boot-systemd.sh cannot run here

	version = "1.0.0"
	next    = "1.0.1"
)

func TestMain(m *testing.M) {
	if os.Getenv(insideVariable) != "" {
		os.Exit(m.Run())
	}
	code, err := buildAndBoot(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// buildAndBoot runs the tests inside, or here where nothing can be booted.
func buildAndBoot(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("/var/tmp", "rouse-packages.") // inside, /tmp is another one
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	if err := build(dir); err != nil {
		return 1, err
	}
	code, err := boot(dir)
	if err == nil && code == cannotRun {
		os.Setenv(dirVariable, dir)
		os.Setenv(reasonVariable, "boot-systemd.sh cannot boot a systemd here (it needs root, cgroup v2 and new namespaces)")
		return m.Run(), nil
	}
	return code, err
}

// build makes everything twice, the second time in another folder and with other settings around it, and the packages of the
// next version. It does so from a copy of the source: whoever edits a file meanwhile does not change what is built.
func build(dir string) error {
	source, moved, program := filepath.Join(dir, "source"), filepath.Join(dir, "elsewhere", "rouse"), filepath.Join(dir, "build")
	if err := copySource(source); err != nil {
		return err
	}
	compile := exec.Command("go", "build", "-o", program, "./packaging/build")
	compile.Dir = source
	if out, err := compile.CombinedOutput(); err != nil {
		return fmt.Errorf("build packaging/build: %w\n%s", err, out)
	}
	err := errors.Join(
		release(program, source, nil, "--output", filepath.Join(dir, "first"), "--version", version),
		release(program, source, nil, "--output", filepath.Join(dir, "next"), "--version", next, "--only", "deb,rpm", "--arch", "amd64"),
		os.Mkdir(filepath.Dir(moved), 0o755),
		os.Rename(source, moved),
	)
	if err != nil {
		return err
	}
	other := []string{"TZ=Asia/Tokyo", "LC_ALL=C", "GOFLAGS=-buildvcs=false", "GOAMD64=v2"}
	return release(program, moved, other, "--output", filepath.Join(dir, "second"), "--version", "v"+version)
}

// copySource copies what packages are made from.
func copySource(to string) error {
	const script = `mkdir "$1" && cd ../.. && tar -c --exclude=packaging/dist go.mod go.sum README.md LICENSE activation cmd packaging platform server | tar -x -C "$1"`
	if out, err := exec.Command("sh", "-c", script, "sh", to).CombinedOutput(); err != nil {
		return fmt.Errorf("copy the source: %w\n%s", err, out)
	}
	return nil
}

// release runs packaging/build at a fixed time.
func release(program, source string, env []string, arguments ...string) error {
	cmd := exec.Command(program, arguments...)
	cmd.Dir, cmd.Env = source, append(append(os.Environ(), "SOURCE_DATE_EPOCH=1700000000"), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", strings.Join(arguments, " "), err, out)
	}
	return nil
}

// boot runs this test binary under systemd and returns its exit status.
func boot(dir string) (int, error) {
	self, err := os.Executable()
	if err != nil {
		return 1, err
	}
	// The folder of test binaries need not be visible inside.
	tests := filepath.Join(dir, "tests")
	if out, err := exec.Command("cp", self, tests).CombinedOutput(); err != nil {
		return 1, fmt.Errorf("copy the tests: %w: %s", err, out)
	}
	arguments := []string{"../boot-systemd.sh", "-T", "300", "-b", dir, "--", "env", insideVariable + "=1", dirVariable + "=" + dir,
		"CI=" + os.Getenv("CI"), tests}
	arguments = append(arguments, slices.DeleteFunc(slices.Clone(os.Args[1:]), func(a string) bool { return strings.HasPrefix(a, "-test.testlogfile") })...)
	cmd := exec.Command("bash", arguments...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// needsSystemd skips a test where nothing could be booted.
func needsSystemd(t *testing.T) {
	t.Helper()
	if reason := os.Getenv(reasonVariable); reason != "" {
		t.Skip(reason)
	}
}

// needs skips a test where a program is missing.
func needs(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("no %s: tests/setup.sh installs it on Debian", program)
	}
}

// made is the path of a file that was built; build is first, second or next.
func made(build, name string) string { return filepath.Join(os.Getenv(dirVariable), build, name) }

// deb and rpm are the packages for the machine that the tests run on.
func deb(build, version string) string { return made(build, "rouse_"+version+"_amd64.deb") }
func rpm(build, version string) string { return made(build, "rouse_"+version+"_x86_64.rpm") }
