package systemd

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// person is somebody with a home and a systemd of her own.
type person struct {
	id            int
	home, runtime string
}

// newPerson makes an account and starts its systemd, as logind does at a login.
func newPerson(t *testing.T, name string, id int) person {
	t.Helper()
	needsSystemd(t)
	p := person{id: id, home: "/home/" + name, runtime: "/run/user/" + strconv.Itoa(id)}
	run(t, "useradd", "--create-home", "--shell", "/bin/sh", "--uid", strconv.Itoa(id), "--user-group", name)
	run(t, "install", "-d", "-m", "0755", "/run/user")
	run(t, "install", "-d", "-m", "0700", "-o", name, "-g", name, p.runtime)
	run(t, "chmod", "0700", p.home)
	unit := "person-" + name + ".service"
	unitFile(t, unit, fmt.Sprintf("[Service]\nType=notify\nUser=%s\nEnvironment=XDG_RUNTIME_DIR=%s\nDelegate=yes\nExecStart=/lib/systemd/systemd --user\nKillMode=mixed\n", name, p.runtime))
	run(t, "systemctl", "daemon-reload")
	t.Cleanup(func() { run(t, "userdel", "--remove", name) }) // after that systemd has ended
	startUnits(t, unit)
	return p
}

// words are the command as this person gives it.
func (p person) words(command ...string) []string {
	id := strconv.Itoa(p.id)
	return append([]string{"setpriv", "--reuid=" + id, "--regid=" + id, "--clear-groups", "env", "-i", "PATH=/usr/bin:/bin:/usr/sbin",
		"HOME=" + p.home, "XDG_RUNTIME_DIR=" + p.runtime}, command...)
}

// rouse runs the program, which must succeed.
func (p person) rouse(t *testing.T, args ...string) string {
	t.Helper()
	words := p.words(append([]string{rousePath}, args...)...)
	got := try(t, words[0], words[1:]...)
	if got.code != 0 || got.stderr != "" {
		t.Fatalf("rouse %q ends with %d\n%s%s", args, got.code, got.stdout, got.stderr)
	}
	return got.stdout
}

func (p person) property(t *testing.T, unit, name string) string {
	t.Helper()
	words := p.words("systemctl", "--user", "show", "-P", name, unit)
	return strings.TrimSpace(run(t, words[0], words[1:]...))
}

func (p person) status(t *testing.T, name string) listed {
	t.Helper()
	var all []listed
	if err := json.Unmarshal([]byte(p.rouse(t, "status", "--json", name)), &all); err != nil {
		t.Fatal(err)
	}
	if len(all) != 1 || all[0].Name != name || !all[0].User {
		t.Fatalf("status of %s: %+v", name, all)
	}
	return all[0]
}

// Without this a site would need root: `rouse install --user` does the same under one's own systemd, in one's own files.
func TestInstallForOneself(t *testing.T) {
	t.Parallel()
	ann := newPerson(t, "ann", 4321)
	for _, folder := range []string{ann.home + "/site", ann.home + "/.local/share/systemd", ann.runtime + "/credentials"} { // systemd keeps its own
		words := ann.words("mkdir", "-p", folder)
		run(t, words[0], words[1:]...)
	}
	writeFile(t, ann.home+"/site/index.html", "ann's\n")
	before := look(t, []string{ann.home, ann.runtime})
	site := []string{"install", "--user", "--name=own", "--listen=https=127.0.0.1:9170,http=127.0.0.1:9171", "--idle-exit=1s", ann.home + "/site"}
	said := ann.rouse(t, site...)
	for _, part := range []string{ann.home + "/.config/systemd/user/rouse-own.socket", ann.home + "/.config/rouse/own/tls.key", "https://localhost:9170/",
		"journalctl --user", "rouse uninstall --user own", "rouse status --user own", "enable-linger"} {
		if !strings.Contains(said, part) {
			t.Errorf("install does not say %q:\n%s", part, said)
		}
	}
	if is := look(t, []string{ann.home + "/.config/rouse"})[ann.home+"/.config/rouse/own/tls.key"]; !strings.HasPrefix(is, "-rw------- 4321:4321") {
		t.Errorf("the key is %s", is)
	}
	for _, unit := range []string{"rouse-own.socket", "rouse-own-http.socket", "rouse-own-renew.timer"} {
		if is := ann.property(t, unit, "ActiveState") + " " + ann.property(t, unit, "UnitFileState"); is != "active enabled" {
			t.Errorf("%s is %s", unit, is)
		}
	}
	ann.visited(t)
	if said := ann.rouse(t, site...); !strings.Contains(said, "is installed like this already") {
		t.Errorf("the same again: %s", said)
	}
	ann.renews(t)
	if got := try(t, rousePath, "uninstall", "own"); got.code != 2 { // root's
		t.Errorf("uninstall without --user: %+v", got)
	}
	ann.rouse(t, "uninstall", "--user", "own")
	for _, difference := range before.differences(look(t, []string{ann.home, ann.runtime})) {
		if !strings.Contains(difference, ann.runtime+"/systemd/") || strings.Contains(difference, "rouse") {
			t.Error(difference)
		}
	}
	noTraces(t, "own")
}

// visited is the first client of the site, whom it stays awake for.
func (p person) visited(t *testing.T) {
	t.Helper()
	if got := p.status(t, "own"); got.State != "asleep" || !got.LastKnock.IsZero() {
		t.Errorf("before the first client: %+v", got)
	}
	if got := page(t, program.Client(t, p.trusts(t, "own")).HTTP2, "https://localhost:9170/"); got != "ann's\n" {
		t.Errorf("it serves %q", got)
	}
	stays := holds(t, "127.0.0.1:9171")
	awake := p.status(t, "own")
	if awake.State != "awake" || awake.LastKnock.IsZero() {
		t.Errorf("while it runs: %+v", awake)
	}
	if uid := run(t, "stat", "-c", "%u", "/proc/"+strconv.Itoa(awake.PID)); strings.TrimSpace(uid) != strconv.Itoa(p.id) {
		t.Errorf("it runs as %s", uid)
	}
	stays.Close()
	waitFor(t, "the idle exit", func() bool { return p.status(t, "own").State == "asleep" })
}

// holds keeps a server awake by half a request.
func holds(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\n"); err != nil {
		t.Fatal(err)
	}
	return c
}

// trusts is a pool with the certificate of a site.
func (p person) trusts(t *testing.T, name string) *x509.CertPool {
	t.Helper()
	text, err := os.ReadFile(p.home + "/.config/rouse/" + name + "/tls.crt")
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if block, _ := pem.Decode(text); block == nil || !pool.AppendCertsFromPEM(text) {
		t.Fatalf("no certificate: %q", text)
	}
	return pool
}

// renews checks that the renewal works, by the unit that the timer starts.
func (p person) renews(t *testing.T) {
	t.Helper()
	path := p.home + "/.config/rouse/own/tls.crt"
	old := content(t, path)
	words := p.words("systemctl", "--user", "start", "rouse-own-renew.service")
	run(t, words[0], words[1:]...)
	if content(t, path) != old {
		t.Error("a fresh certificate was renewed")
	}
	if said := p.rouse(t, "renew", "--user", "--within=9527h30m", "own"); !strings.Contains(said, "is renewed") || content(t, path) == old {
		t.Errorf("renew says %s", said)
	}
	if got := page(t, program.Client(t, p.trusts(t, "own")).HTTP2, "https://127.0.0.1:9170/"); got != "ann's\n" {
		t.Errorf("with the new certificate it serves %q", got)
	}
}

// A program of one's own can be woken too.
func TestInstallProgramForOneself(t *testing.T) {
	t.Parallel()
	bob := newPerson(t, "bob", 4322)
	bob.rouse(t, "install", "--user", "inetd", "--name=echo", "--listen=127.0.0.1:9172", "--", "sh", "-c", "id -u; cat")
	if got := talk(t, "127.0.0.1:9172", "hello\n"); got != "4322\nhello\n" {
		t.Errorf("it says %q", got)
	}
	var all []listed
	if err := json.Unmarshal([]byte(bob.rouse(t, "status", "--json", "--user")), &all); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(all, func(l listed) bool { return l.Name == "echo" && l.State == "awake" }) || len(all) != 1 {
		t.Errorf("status --user: %+v", all)
	}
	words := bob.words(rousePath, "install", "--user", "--name=low", "--listen=https=127.0.0.1:443", "/var/www/html")
	if got := try(t, words[0], words[1:]...); got.code != 78 || !strings.Contains(got.stderr, "443") || strings.Count(got.stderr, "\n") != 1 {
		t.Errorf("a port that one may not have: %+v", got)
	}
	bob.rouse(t, "uninstall", "--user", "echo")
}
