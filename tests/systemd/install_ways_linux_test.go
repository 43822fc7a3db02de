package systemd

import (
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Debian's own nginx starts as root, writes where packages do, and makes its workers www-data. Its idle end shows that Rouse sees
// the connections of those.
func TestInstallProgramThatIsRoot(t *testing.T) {
	t.Parallel()
	needsSystemd(t)
	if _, err := exec.LookPath(nginxPath); err != nil {
		t.Skipf("nginx is not installed: %v", err)
	}
	installsProgram(t, "deb", "run", "--name", "deb", "--account", "root", "--listen", "80", "--idle-stop", "1s", "--", "nginx", "-g", "daemon off;")
	for _, address := range []string{"127.0.0.1:80", "[::1]:80"} {
		if got := page(t, http.DefaultClient, "http://"+address+"/"); got == "" {
			t.Errorf("%s: %q", address, got)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	waitFor(t, "nginx sleeps, and status says so", func() bool { return statusOf(t, "deb").State == "asleep" })
	log, err := os.ReadFile("/var/log/nginx/access.log")
	if err != nil || !strings.Contains(string(log), "127.0.0.1 - - ") {
		t.Errorf("nginx's log: %q, %v", log, err)
	}
}

// A site behind a dispatcher has no sockets of the manager's, and has to be there for it.
func TestInstallBehindADispatcher(t *testing.T) {
	const rules = "/etc/gate.toml"
	writeFile(t, rules, "socket = \"/run/rouse/door.sock\"\nfallback = \"den\"\n[listeners.web]\naddress = \"tcp:127.0.0.1:9191\"\n[backends.den]\nuser = \"www-data\"\n")
	t.Cleanup(func() { os.Remove(rules) })
	installs(t, "door", "dispatch", "--name", "door", "--config", rules)
	folder := folderWith(t, "/srv/den", "behind the door")
	installs(t, "den", "--name", "den", "--account", "www-data", "--listen", "https=dispatch:/run/rouse/door.sock#den", "--host-name", "localhost,127.0.0.1", folder)
	if got := page(t, secure(t, "den"), "https://127.0.0.1:9191/"); got != "behind the door" {
		t.Errorf("got %q", got)
	}
	if got := property(t, "rouse-den.service", "UnitFileState"); got != "enabled" {
		t.Errorf("rouse-den.service is %s: after a reboot it would not be there for the dispatcher", got)
	}
}

// The service may write log files into one folder, which is made for it.
func TestInstallLogs(t *testing.T) {
	t.Parallel()
	folder := folderWith(t, "/srv/diary", "dear diary")
	installs(t, "diary", "--name", "diary", "--tls=false", "--listen", "127.0.0.1:9192", "--access-log", "/var/log/rouse-diary/access.log", folder)
	t.Cleanup(func() { os.RemoveAll("/var/log/private/rouse-diary"); os.Remove("/var/log/rouse-diary") }) // what a service wrote stays
	page(t, http.DefaultClient, "http://127.0.0.1:9192/")
	waitFor(t, "the line of the request", func() bool {
		text, _ := os.ReadFile("/var/log/rouse-diary/access.log")
		return strings.Contains(string(text), "GET 200 /")
	})
	uninstallsButLogs(t)
}

func uninstallsButLogs(t *testing.T) {
	t.Helper()
	rouse(t, "uninstall", "diary")
	os.RemoveAll("/var/log/private/rouse-diary")
	os.Remove("/var/log/rouse-diary")
}

// status tells of what fails, and how: a program that dies, and files that the service may not read any more.
func TestInstallStatusOfFailures(t *testing.T) {
	t.Parallel()
	installsProgram(t, "ill", "run", "--name", "ill", "--listen", "127.0.0.1:9193", "--", "sh", "-c", "exit 3")
	holds(t, "127.0.0.1:9193")
	waitFor(t, "the program is told of", func() bool {
		got := statusOf(t, "ill")
		return got.State == "failing" && strings.Contains(got.Trouble, "sh ended with status 3")
	})
	folder := folderWith(t, "/srv/lost", "lost")
	installs(t, "lost", "--name", "lost", "--tls=false", "--listen", "127.0.0.1:9194", folder)
	if err := os.Chmod(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	c := holds(t, "127.0.0.1:9194")
	waitFor(t, "the service is told of", func() bool {
		got := statusOf(t, "lost")
		return got.State == "failing" && strings.Contains(got.Trouble, "journalctl")
	})
	c.Close()
}
