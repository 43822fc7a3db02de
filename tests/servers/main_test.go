// Package servers runs real, unmodified servers under `rouse run` and puts each through the same drill: asleep until the
// first client, answered, known by its own address, reloaded, stopped when idle, started again without a connection lost,
// and ended with nothing left.
//
//	go test ./tests/servers                            # the few that are cheap to have
//	ROUSE_LONG=servers go test ./tests/servers         # all (tests/all.sh --long servers)
//	go test ./tests/servers -run TestServers/nginx     # one of them
//	go test ./tests/servers -bare                      # without rouse: tells a broken server from a broken rouse
//	ROUSE_LONG=servers go test ./tests/servers -update # writes the table of results into README.md
//
// TestMain downloads the servers' packages (tests/tools/fetch-debs.sh), boots a system whose files and network are thrown
// away afterwards (tests/boot-systemd.sh), unpacks them there and runs this same test binary inside. Nothing is installed or
// started on the machine itself.
package servers

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	insideVariable   = "ROUSE_TEST_INSIDE" // the folder that is the same outside and inside
	overlayVariable  = "ROUSE_TEST_OVERLAY"
	reasonVariable   = "ROUSE_TEST_NO_SERVERS"
	helperVariable   = "ROUSE_TEST_SERVER" // this binary is to be a server itself
	cannotRun        = 77                  // boot-systemd.sh cannot run here
	traefikAvailable = "/usr/local/bin/traefik"
)

var (
	bare   = flag.Bool("bare", false, "run the servers without rouse")
	update = flag.Bool("update", false, "write the table of results into README.md (only of a whole, long run)")
)

func TestMain(m *testing.M) {
	flag.Parse()
	switch {
	case os.Getenv(helperVariable) != "":
		serveGo(os.Getenv(helperVariable))
	case os.Getenv(insideVariable) != "":
		if err := prepare(os.Getenv(insideVariable)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(m.Run())
	}
	code, err := outside(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// outside boots one system for each overlay that has servers to run, and returns the worst exit status.
func outside(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("/var/tmp", "rouse-servers.") // inside, /tmp is another one
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	worst := 0
	for _, overlay := range overlays() {
		code, err := boot(dir, overlay)
		if code == cannotRun {
			return m.Run(), nil
		}
		if worst = max(worst, code); err != nil {
			return worst, err
		}
	}
	if *update && worst == 0 {
		return 0, writeTable(dir)
	}
	return worst, nil
}

// overlays returns the names of the systems to boot: servers whose packages conflict have one of their own.
func overlays() []string {
	var names []string
	for _, s := range selected() {
		if !slices.Contains(names, s.overlay) {
			names = append(names, s.overlay)
		}
	}
	return names
}

// boot runs this test binary in a booted system with the packages of one overlay, and returns its exit status. It is
// cannotRun, with the reason in the environment, where there cannot be such a system.
func boot(dir, overlay string) (int, error) {
	self, err := os.Executable()
	if err != nil {
		return 1, err
	}
	if err := errors.Join(buildRouse(filepath.Join(dir, "rouse")), copyFile(self, filepath.Join(dir, "tests"))); err != nil {
		return 1, err
	}
	packages, err := fetch(overlay)
	if err != nil {
		os.Setenv(reasonVariable, fmt.Sprintf("the servers' packages cannot be had: fetch-debs.sh: %v", err))
		return cannotRun, nil
	}
	if err := os.WriteFile(filepath.Join(dir, "packages"), []byte(packages), 0o644); err != nil {
		return 1, err
	}
	if err := traefik(dir); err != nil {
		return 1, err
	}
	arguments := []string{"../boot-systemd.sh", "-T", "3600", "-b", dir, "--", "env",
		insideVariable + "=" + dir, overlayVariable + "=" + overlay}
	for _, name := range []string{"ROUSE_LONG", "CI"} {
		arguments = append(arguments, name+"="+os.Getenv(name))
	}
	arguments = append(arguments, filepath.Join(dir, "tests"))
	arguments = append(arguments, slices.DeleteFunc(slices.Clone(os.Args[1:]), func(a string) bool { return strings.HasPrefix(a, "-test.testlogfile") })...)
	cmd := exec.Command("bash", arguments...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	err = cmd.Run()
	exit, ok := errors.AsType[*exec.ExitError](err)
	switch {
	case ok && exit.ExitCode() == cannotRun:
		os.Setenv(reasonVariable, "boot-systemd.sh cannot boot a system here (it needs root, cgroup v2 and new namespaces)")
		return cannotRun, nil
	case ok:
		return exit.ExitCode(), nil
	}
	return 0, err
}

// fetch downloads the packages of an overlay and what they need, and returns their files, one a line.
func fetch(overlay string) (string, error) {
	var names []string
	for _, s := range selected() {
		if s.overlay == overlay {
			names = append(names, s.packages...)
		}
	}
	slices.Sort(names)
	cmd := exec.Command("../tools/fetch-debs.sh", slices.Compact(names)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	return string(out), err
}

// traefik builds Traefik from its module's source, as Debian has no package of it, when its row is to be run.
func traefik(dir string) error {
	if !slices.ContainsFunc(selected(), func(s server) bool { return s.command[0] == traefikAvailable }) {
		return nil
	}
	cmd := exec.Command("./traefik.sh")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		fmt.Fprintln(os.Stderr, "Traefik cannot be built: its row will fail")
		return nil
	}
	return copyFile(strings.TrimSpace(string(out)), filepath.Join(dir, "traefik"))
}

// prepare makes the booted system ready: packages unpacked, their users there, and addresses for clients.
func prepare(dir string) error {
	script := `set -eu
cd "$1"
# Without the packages' own scripts: they would start services. --keep-directory-symlink: /lib is a link to /usr/lib.
while read -r deb; do dpkg --fsys-tarfile "$deb" | tar -x --keep-directory-symlink --warning=no-timestamp -C /; done <packages
for user in postfix postdrop dovecot dovenull sshd ftp Debian-exim postgres redis www-data haproxy proxy; do
  getent group $user >/dev/null || groupadd --system $user
  getent passwd $user >/dev/null || useradd --system --gid $user --no-create-home --home-dir / --shell /usr/sbin/nologin $user
done
cp rouse /usr/bin/rouse
if [ -e traefik ]; then cp traefik ` + traefikAvailable + `; fi
mkdir -p /run/sshd /var/run/vsftpd/empty
ip address add ` + clientV6 + `/128 dev lo
`
	if out, err := exec.Command("sh", "-c", script, "sh", dir).CombinedOutput(); err != nil {
		return fmt.Errorf("prepare the system: %w\n%s", err, out)
	}
	return nil
}

// buildRouse puts the program that is tested there.
func buildRouse(path string) error {
	if binary := os.Getenv("ROUSE_BINARY"); binary != "" {
		return copyFile(binary, path)
	}
	cmd := exec.Command("go", "build", "-trimpath", "-o", path, "../../cmd/rouse")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	return cmd.Run()
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
