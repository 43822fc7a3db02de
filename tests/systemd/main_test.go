// Package systemd tests Rouse and its shipped units under a real systemd as PID 1.
//
// TestMain boots one (tests/boot-systemd.sh) and runs this same test binary inside, with the program installed as
// /usr/bin/rouse. What the tests do to the machine is gone afterwards. ROUSE_TEST_ROOT names an unpacked root file system
// with another systemd (mmdebstrap --include=systemd,systemd-sysv,dbus,curl SUITE …) to do the same under that.
package systemd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// inside names the folder with the program and the units, in the booted system; reason says why there is none.
const (
	insideVariable = "ROUSE_TEST_INSIDE"
	reasonVariable = "ROUSE_TEST_NO_SYSTEMD"
	cannotRun      = 77 // boot-systemd.sh cannot run here
)

func TestMain(m *testing.M) {
	if os.Getenv(insideVariable) != "" {
		if err := install(os.Getenv(insideVariable)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(m.Run())
	}
	code, err := boot()
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	case code == cannotRun:
		os.Setenv(reasonVariable, "boot-systemd.sh cannot boot a systemd here (it needs root, cgroup v2 and new namespaces)")
		os.Exit(m.Run())
	}
	os.Exit(code)
}

// needsSystemd skips a test outside.
func needsSystemd(t *testing.T) {
	t.Helper()
	if reason := os.Getenv(reasonVariable); reason != "" {
		t.Skip(reason)
	}
}

// boot runs this test binary under systemd and returns its exit status.
func boot() (int, error) {
	dir, err := os.MkdirTemp("/var/tmp", "rouse-systemd.") // inside, /tmp is another one
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	if err := errors.Join(build(filepath.Join(dir, "rouse")), copyFile(self, filepath.Join(dir, "tests"), 0o755)); err != nil {
		return 0, err
	}
	units, err := filepath.Glob("../../packaging/systemd/*")
	if err != nil {
		return 0, err
	}
	for _, unit := range units {
		if err := copyFile(unit, filepath.Join(dir, filepath.Base(unit)), 0o644); err != nil {
			return 0, err
		}
	}
	if err := fetchNginx(dir); err != nil {
		fmt.Fprintln(os.Stderr, err) // the tests that need it are skipped
	}
	limit := "300"
	if isLong() {
		limit = "1200"
	}
	arguments := []string{"../boot-systemd.sh", "-T", limit, "-b", dir}
	if root := os.Getenv("ROUSE_TEST_ROOT"); root != "" {
		arguments = append(arguments, "-r", root)
	}
	arguments = append(arguments, "--", "env", insideVariable+"="+dir)
	for _, name := range []string{"ROUSE_LONG", "CI"} {
		arguments = append(arguments, name+"="+os.Getenv(name))
	}
	arguments = append(arguments, filepath.Join(dir, "tests"))
	arguments = append(arguments, slices.DeleteFunc(slices.Clone(os.Args[1:]), func(a string) bool { return strings.HasPrefix(a, "-test.testlogfile") })...)
	cmd := exec.Command("bash", arguments...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// isLong tells whether the long drills were asked for.
func isLong() bool { return os.Getenv("ROUSE_LONG") == "systemd" }

// fetchNginx puts the packages of nginx there, where it is not installed. Another root has it, or goes without.
func fetchNginx(dir string) error {
	if _, err := exec.LookPath(nginxPath); err == nil || os.Getenv("ROUSE_TEST_ROOT") != "" {
		return nil
	}
	cmd := exec.Command("../tools/fetch-debs.sh", "nginx")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("fetch nginx: %w", err)
	}
	for _, deb := range strings.Fields(string(out)) {
		if err := copyFile(deb, filepath.Join(dir, filepath.Base(deb)), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// build puts the program that is tested there.
func build(path string) error {
	if binary := os.Getenv("ROUSE_BINARY"); binary != "" {
		return copyFile(binary, path, 0o755)
	}
	cmd := exec.Command("go", "build", "-trimpath", "-o", path, "../../cmd/rouse")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	return cmd.Run()
}

// install does what the README says, inside.
func install(from string) error {
	err := errors.Join(
		copyFile(filepath.Join(from, "rouse"), "/usr/bin/rouse", 0o755),
		os.MkdirAll("/etc/rouse", 0o755),
		os.MkdirAll("/var/www/html", 0o755),
		copyFile(filepath.Join(from, "rouse.env"), "/etc/rouse/rouse.env", 0o644),
		os.WriteFile("/var/www/html/index.html", []byte("<h1>Rouse</h1>\n"), 0o644),
	)
	if _, missing := os.Stat("/etc/hosts"); missing != nil { // in another root
		err = errors.Join(err, os.WriteFile("/etc/hosts", []byte("127.0.0.1 localhost\n::1 localhost\n"), 0o644))
	}
	// --keep-directory-symlink: /lib is a link to /usr/lib.
	const unpack = `for deb in *.deb; do [ ! -e "$deb" ] || dpkg --fsys-tarfile "$deb" | tar -x --keep-directory-symlink --warning=no-timestamp -C /; done`
	packages := exec.Command("sh", "-c", unpack)
	packages.Dir = from
	err = errors.Join(err, packages.Run(), enableSite())
	units, _ := filepath.Glob(filepath.Join(from, "rouse*.s*"))
	for _, unit := range units {
		err = errors.Join(err, copyFile(unit, filepath.Join("/etc/systemd/system", filepath.Base(unit)), 0o644))
	}
	return err
}

// enableSite does what nginx's package does beside unpacking (its postinst script): the default site is served.
func enableSite() error {
	const available, enabled = "/etc/nginx/sites-available/default", "/etc/nginx/sites-enabled/default"
	if _, missing := os.Stat(available); missing != nil {
		return nil
	}
	if err := os.Symlink(available, enabled); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

func copyFile(from, to string, mode os.FileMode) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.WriteFile(to, text, mode); err != nil {
		return err
	}
	return os.Chmod(to, mode)
}
