package systemd

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/rouse-server/rouse/tests/load"
	"github.com/rouse-server/rouse/tests/program"
)

// again is a site that is installed again, with the certificate of its first time.
type again struct {
	pool          *x509.CertPool
	secure, plain string // when its sockets were opened
}

const againAddress = "127.0.0.1:9110"

// Without this whoever says a thing twice, as scripts do, would throw people out: what is the same stays as it is, with those
// who are connected; what is not is changed, and the other sockets stay open, with those who wait there.
func TestInstallAgain(t *testing.T) {
	t.Parallel()
	needsSystemd(t)
	site := func(http, folder string) []string {
		words := []string{"install", "--name=again", "--listen=https=" + againAddress, "--keepalive-timeout=5m", folder}
		if http != "" {
			words = append(words, "--listen=http=127.0.0.1:"+http)
		}
		return words
	}
	first, second := folderWith(t, "/srv/again", "first\n"), folderWith(t, "/srv/again-second", "second\n")
	installs(t, "again", site("9111", first)[1:]...)
	a := again{secure: opened(t, "rouse-again.socket"), plain: opened(t, "rouse-again-http.socket")}
	_, a.pool = madeCertificate(t, "again")
	a.same(t, site("9111", first))
	a.otherPort(t, site("9112", first))
	rouse(t, site("9112", second)...)
	a.serves(t, "second\n")
	if said := rouse(t, site("", second)...); !strings.Contains(said, "removed /etc/systemd/system/rouse-again-http.socket") {
		t.Errorf("without http: %s", said)
	}
	closed(t, "127.0.0.1:9112")
	a.serves(t, "second\n")
	if opened(t, "rouse-again.socket") != a.secure {
		t.Error("the socket that stays the same was opened anew")
	}
}

// same installs it as it is. Who is connected does not notice.
func (a again) same(t *testing.T, site []string) {
	t.Helper()
	connected, err := tls.Dial("tcp", againAddress, &tls.Config{RootCAs: a.pool})
	if err != nil {
		t.Fatal(err)
	}
	defer connected.Close()
	if _, err := load.Ask(connected); err != nil {
		t.Fatal(err)
	}
	pid, before := mainOf(t, "rouse-again.service"), look(t, []string{"/etc/rouse/again"})
	if said := rouse(t, site...); !strings.Contains(said, "is installed like this already") || strings.Contains(said, "wrote") {
		t.Errorf("the same again: %s", said)
	}
	for _, difference := range before.differences(look(t, []string{"/etc/rouse/again"})) {
		t.Error(difference)
	}
	if _, err := load.Ask(connected); err != nil {
		t.Errorf("who was connected: %v", err)
	}
	if now := mainOf(t, "rouse-again.service"); now != pid {
		t.Errorf("the process is %d, and was %d", now, pid)
	}
	if opened(t, "rouse-again.socket") != a.secure || opened(t, "rouse-again-http.socket") != a.plain {
		t.Error("sockets were opened anew")
	}
}

// otherPort installs it with another port for http. Who waits in the queue of the https socket, as the service stands still, is
// served.
func (a again) otherPort(t *testing.T, site []string) {
	t.Helper()
	pid := mainOf(t, "rouse-again.service")
	program.Freeze(t, pid)
	waiting := make(chan error, 1)
	go func() { waiting <- askOnce(a.pool) }()
	waitFor(t, "the client is connected", func() bool { return establishedTo(t, 9110) == 1 })
	thawed := time.AfterFunc(300*time.Millisecond, func() { syscall.Kill(pid, syscall.SIGCONT) }) // or it cannot stop
	defer thawed.Stop()
	if said := rouse(t, site...); !strings.Contains(said, "rouse-again-http.socket") || strings.Contains(said, "wrote   /etc/systemd/system/rouse-again.socket") {
		t.Errorf("with another port: %s", said)
	}
	if err := <-waiting; err != nil {
		t.Errorf("who waited: %v", err)
	}
	if opened(t, "rouse-again.socket") != a.secure {
		t.Error("the socket that stays the same was opened anew")
	}
	if got := redirectOf(t, "http://127.0.0.1:9112/"); got != "https://127.0.0.1:9110/" && got != "https://localhost:9110/" {
		t.Errorf("the new port redirects to %q", got)
	}
	closed(t, "127.0.0.1:9111")
}

func (a again) serves(t *testing.T, want string) {
	t.Helper()
	if got := page(t, program.Client(t, a.pool).HTTP2, "https://"+againAddress+"/"); got != want {
		t.Errorf("it serves %q, want %q", got, want)
	}
}

func askOnce(pool *x509.CertPool) error {
	c, err := tls.Dial("tcp", againAddress, &tls.Config{RootCAs: pool})
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = load.Ask(c)
	return err
}

// closed checks that nobody has an address any more.
func closed(t *testing.T, address string) {
	t.Helper()
	if c, err := net.Dial("tcp", address); err == nil {
		c.Close()
		t.Errorf("%s is still open", address)
	}
}

func mainOf(t *testing.T, service string) int {
	t.Helper()
	main, _ := processesOf(t, service)
	if main == 0 {
		t.Fatalf("%s does not run", service)
	}
	return main
}

func redirectOf(t *testing.T, url string) string {
	t.Helper()
	reply, err := program.Client(t, nil).HTTP1.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, reply.Body)
	reply.Body.Close()
	return reply.Header.Get("Location")
}

// Without this people would have to take the hardening off again, or find out one by one what it forbids: under the unit that
// install writes, at its score, all works that a site needs.
func TestInstallHardening(t *testing.T) {
	t.Parallel()
	needsSystemd(t)
	const service = "rouse-tight.service"
	since := time.Now()
	secrets := folderWith(t, "/etc/tight", "")
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, secrets+"/htpasswd", "ann:"+string(hash)+"\n")
	if err := os.Chmod(secrets+"/htpasswd", 0o600); err != nil { // systemd hands over a copy
		t.Fatal(err)
	}
	writeFile(t, secrets+"/options.toml", headerOption("first"))
	installs(t, "tight", "--name=tight", "--listen=9115,http=9116", "--idle-exit=0", "--config-file", secrets+"/options.toml",
		"--basic-auth-file", secrets+"/htpasswd", folderWith(t, "/srv/tight", "tight\n"))
	client := secure(t, "tight")
	asks(t, client, "first")
	pid := mainOf(t, service)
	run(t, "systemd-analyze", "security", "--no-pager", "--threshold=2", service)
	run(t, "systemd-analyze", "security", "--no-pager", "--threshold=2", "--offline=yes", "/etc/systemd/system/"+service)
	if status := property(t, service, "StatusText"); !strings.Contains(status, "serving /srv/tight") {
		t.Errorf("status: %q", status)
	}
	writeFile(t, secrets+"/options.toml", headerOption("second"))
	run(t, "systemctl", "reload", service)
	waitFor(t, "the second edition", func() bool { _, is := askAs(t, client, "secret"); return is == "second" })
	if now := mainOf(t, service); now != pid {
		t.Errorf("the process is %d, and was %d", now, pid)
	}
	waitSaidBy(t, service, since, "6", "GET", "401")
	run(t, "systemctl", "restart", service)
	asks(t, client, "second")
	if mainOf(t, service) == pid {
		t.Error("the restart was none")
	}
	if !hasOwnNetwork(t, service) {
		t.Error("the service has the machine's network")
	}
}

func headerOption(edition string) string {
	return "[[advanced.headers]]\nsource = \"**\"\nheaders = { X-Edition = \"" + edition + "\" }\n"
}

// asks asks with a wrong password and with the right one.
func asks(t *testing.T, client *http.Client, edition string) {
	t.Helper()
	bad, _ := askAs(t, client, "wrong")
	good, is := askAs(t, client, "secret")
	if bad != http.StatusUnauthorized || good != http.StatusOK || is != edition {
		t.Errorf("by a wrong password %d, by the right one %d, edition %q, want %q", bad, good, is, edition)
	}
}

func askAs(t *testing.T, client *http.Client, password string) (code int, edition string) {
	t.Helper()
	request, err := http.NewRequest("GET", "https://localhost:9115/", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth("ann", password)
	reply, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	io.Copy(io.Discard, reply.Body)
	return reply.StatusCode, reply.Header.Get("X-Edition")
}
