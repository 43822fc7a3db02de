// Package booted runs a test binary once more inside a system that is thrown away afterwards, with the packages of the
// servers that are tested unpacked there and users for them.
package booted

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const (
	insideVariable = "ROUSE_TEST_INSIDE" // the folder that is the same outside and inside
	reasonVariable = "ROUSE_TEST_NO_SERVERS"
	cannotRun      = 77 // boot-systemd.sh cannot run here

	// Traefik is where that program is: Debian has no package of it.
	Traefik = "/usr/local/bin/traefik"
	// Rouse is the program that is tested.
	Rouse = "/usr/bin/rouse"
)

// System is what is booted.
type System struct {
	Tests    string   // the folder tests, as seen from the working folder
	Packages []string // of Debian
	Traefik  bool     // whether it is needed
	Env      []string // "NAME=value", beside ROUSE_LONG and CI
}

// Dir is the folder that a test binary inside shares with the one outside; empty outside.
func Dir() string { return os.Getenv(insideVariable) }

// Reason says why no system can be booted here; empty as long as none failed to.
func Reason() string { return os.Getenv(reasonVariable) }

// Run runs this test binary with its own arguments inside, and returns its exit status. Where there cannot be such a system
// ok is false, and Reason says why. The folder dir is the same inside, with what is written there.
func (s System) Run(dir string) (code int, ok bool, err error) {
	self, err := os.Executable()
	if err != nil {
		return 1, true, err
	}
	if err := errors.Join(s.build(filepath.Join(dir, "rouse")), copyFile(self, filepath.Join(dir, "tests"))); err != nil {
		return 1, true, err
	}
	packages, err := s.fetch()
	if err != nil {
		os.Setenv(reasonVariable, fmt.Sprintf("the servers' packages cannot be had: fetch-debs.sh: %v", err))
		return 0, false, nil
	}
	if err := os.WriteFile(filepath.Join(dir, "packages"), []byte(packages), 0o644); err != nil {
		return 1, true, err
	}
	if err := s.traefik(dir); err != nil {
		return 1, true, err
	}
	err = s.command(dir).Run()
	exit, exited := errors.AsType[*exec.ExitError](err)
	switch {
	case exited && exit.ExitCode() == cannotRun:
		os.Setenv(reasonVariable, "boot-systemd.sh cannot boot a system here (it needs root, cgroup v2 and new namespaces)")
		return 0, false, nil
	case exited:
		return max(exit.ExitCode(), 1), true, nil
	}
	return 0, true, err
}

// command boots the system and starts this test binary there.
func (s System) command(dir string) *exec.Cmd {
	arguments := []string{filepath.Join(s.Tests, "boot-systemd.sh"), "-T", "3600", "-b", dir, "--", "env", insideVariable + "=" + dir}
	for _, name := range []string{"ROUSE_LONG", "CI"} {
		arguments = append(arguments, name+"="+os.Getenv(name))
	}
	arguments = append(append(arguments, s.Env...), filepath.Join(dir, "tests"))
	own := slices.DeleteFunc(slices.Clone(os.Args[1:]), func(a string) bool { return strings.HasPrefix(a, "-test.testlogfile") })
	cmd := exec.Command("bash", append(arguments, own...)...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd
}

// fetch downloads the packages and what they need, and returns their files, one a line.
func (s System) fetch() (string, error) {
	names := slices.Clone(s.Packages)
	slices.Sort(names)
	cmd := exec.Command(filepath.Join(s.Tests, "tools/fetch-debs.sh"), slices.Compact(names)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	return string(out), err
}

// traefik builds that from its module's source, when it is needed.
func (s System) traefik(dir string) error {
	if !s.Traefik {
		return nil
	}
	cmd := exec.Command(filepath.Join(s.Tests, "servers/traefik.sh"))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		fmt.Fprintln(os.Stderr, "Traefik cannot be built: its row will fail")
		return nil
	}
	return copyFile(strings.TrimSpace(string(out)), filepath.Join(dir, "traefik"))
}

// build puts the program that is tested there.
func (s System) build(path string) error {
	if binary := os.Getenv("ROUSE_BINARY"); binary != "" {
		return copyFile(binary, path)
	}
	cmd := exec.Command("go", "build", "-trimpath", "-o", path, "github.com/rouse-server/rouse/cmd/rouse")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	return cmd.Run()
}

// Prepare makes the booted system ready, from inside: packages unpacked, their users there, Rouse and Traefik in place, and
// these addresses (ADDRESS/LENGTH) on the loopback interface.
func Prepare(addresses ...string) error {
	script := `set -eu
cd "$1"
# Without the packages' own scripts: they would start services. --keep-directory-symlink: /lib is a link to /usr/lib.
while read -r deb; do dpkg --fsys-tarfile "$deb" | tar -x --keep-directory-symlink --warning=no-timestamp -C /; done <packages
for user in postfix postdrop dovecot dovenull sshd ftp Debian-exim postgres redis www-data haproxy proxy; do
  getent group $user >/dev/null || groupadd --system $user
  getent passwd $user >/dev/null || useradd --system --gid $user --no-create-home --home-dir / --shell /usr/sbin/nologin $user
done
cp rouse ` + Rouse + `
if [ -e traefik ]; then cp traefik ` + Traefik + `; fi
mkdir -p /run/sshd /var/run/vsftpd/empty
shift
for address; do ip address add "$address" dev lo; done
`
	if out, err := exec.Command("sh", append([]string{"-c", script, "sh", Dir()}, addresses...)...).CombinedOutput(); err != nil {
		return fmt.Errorf("prepare the system: %w\n%s", err, out)
	}
	return nil
}

// copyFile copies an executable file.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
