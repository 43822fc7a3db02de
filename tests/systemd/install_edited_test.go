package systemd

import (
	"os"
	"strings"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// Without this a night's work on a unit would be gone: what somebody edited or put there is not overwritten unless they say so,
// and then it is kept; uninstall keeps it too.
func TestInstallKeepsWhatWasEdited(t *testing.T) {
	t.Parallel()
	needsSystemd(t)
	const service, variables = "/etc/systemd/system/rouse-mine.service", "/etc/rouse/mine/rouse.env"
	site := []string{"install", "--name=mine", "--tls=false", "--listen=http=127.0.0.1:9140", folderWith(t, "/srv/mine", "mine\n")}
	installs(t, "mine", site[1:]...)
	t.Cleanup(func() {
		for _, path := range []string{service + ".edited", service + ".bak-1", variables + ".edited"} {
			os.Remove(path)
		}
		os.Remove("/etc/rouse/mine")
	})
	client := program.Client(t, nil).HTTP1
	page(t, client, "http://127.0.0.1:9140/")
	appendTo(t, service, "# mine\n")
	edited, before := content(t, service), look(t, []string{"/etc/rouse/mine", "/etc/systemd/system"})
	for _, again := range [][]string{site, append(site, "--idle-exit=7m")} {
		got := try(t, rousePath, again...)
		if got.code != 78 || strings.Count(got.stderr, "\n") != 1 || !strings.Contains(got.stderr, service) || !strings.Contains(got.stderr, "--force") {
			t.Errorf("over an edited unit: %+v", got)
		}
	}
	for _, difference := range before.differences(look(t, []string{"/etc/rouse/mine", "/etc/systemd/system"})) {
		if strings.Contains(difference, "mine") {
			t.Error(difference)
		}
	}
	said := rouse(t, append(site, "--force")...)
	if !strings.Contains(said, service+".bak-1") || content(t, service+".bak-1") != edited || content(t, service) == edited {
		t.Errorf("with --force: %s", said)
	}
	page(t, client, "http://127.0.0.1:9140/")
	if err := os.Remove(service + ".bak-1"); err != nil {
		t.Error(err)
	}

	appendTo(t, service, "# mine again\n")
	appendTo(t, variables, "SERVER_LOG_LEVEL=debug\n")
	edited = content(t, service)
	said = rouse(t, "uninstall", "mine")
	if !strings.Contains(said, service+".edited") || !strings.Contains(said, variables+".edited") || content(t, service+".edited") != edited {
		t.Errorf("uninstall says %s", said)
	}
	if left := tracesOf(t, "mine"); strings.Join(left, " ") != "/etc/rouse/mine "+variables+".edited "+service+".edited" {
		t.Errorf("left: %q", left)
	}
}

// The same goes for files that are somebody else's altogether.
func TestInstallKeepsWhatIsNotItsOwn(t *testing.T) {
	t.Parallel()
	needsSystemd(t)
	const service, theirs = "/etc/systemd/system/rouse-theirs.service", "[Service]\nExecStart=/bin/true\n"
	site := []string{"install", "--name=theirs", "--tls=false", "--listen=http=127.0.0.1:9141", folderWith(t, "/srv/theirs", "theirs\n")}
	writeFile(t, service, theirs)
	t.Cleanup(func() { os.Remove(service + ".bak-1"); noTraces(t, "theirs") })
	if got := try(t, rousePath, site...); got.code != 78 || strings.Count(got.stderr, "\n") != 1 || !strings.Contains(got.stderr, service) || content(t, service) != theirs {
		t.Errorf("over another's unit: %+v", got)
	}
	rouse(t, append(site, "--force")...)
	page(t, program.Client(t, nil).HTTP1, "http://127.0.0.1:9141/")
	rouse(t, "uninstall", "theirs")
	if content(t, service+".bak-1") != theirs {
		t.Errorf("the copy is %q", content(t, service+".bak-1"))
	}
}

// Without this the file of variables would be of no use: what is changed there holds from the next start on.
func TestInstallVariablesCanBeEdited(t *testing.T) {
	t.Parallel()
	needsSystemd(t)
	const variables = "/etc/rouse/knobs/rouse.env"
	other := folderWith(t, "/srv/knobs-other", "other\n")
	installs(t, "knobs", "--name=knobs", "--tls=false", "--listen=http=127.0.0.1:9142", folderWith(t, "/srv/knobs", "knobs\n"))
	t.Cleanup(func() { // before it is uninstalled
		rouse(t, "uninstall", "knobs")
		os.RemoveAll("/etc/rouse/knobs")
	})
	client := program.Client(t, nil).HTTP1
	page(t, client, "http://127.0.0.1:9142/")
	text := content(t, variables)
	if strings.Count(text, "\nSERVER_ROOT=/srv/knobs\n") != 1 || strings.Count(text, "\nSERVER_HTTPS_REDIRECT=") != 1 || !strings.Contains(text, "\nSERVER_HTTPS_REDIRECT=false\n") {
		t.Errorf("the file of variables:\n%s", text)
	}
	writeFile(t, variables, strings.Replace(text, "\nSERVER_ROOT=/srv/knobs\n", "\nSERVER_ROOT="+other+"\n", 1))
	run(t, "systemctl", "restart", "rouse-knobs.service")
	if got := page(t, client, "http://127.0.0.1:9142/"); got != "other\n" {
		t.Errorf("after the variable was changed: %q", got)
	}
	if got := try(t, rousePath, "install", "--name=knobs", "--tls=false", "--listen=http=127.0.0.1:9142", "/srv/knobs"); got.code != 78 || !strings.Contains(got.stderr, variables) {
		t.Errorf("over edited variables: %+v", got)
	}
}

// What somebody has removed is written again, and nothing that uninstall misses.
func TestInstallAfterFilesWereRemoved(t *testing.T) {
	t.Parallel()
	needsSystemd(t)
	const service = "/etc/systemd/system/rouse-gone.service"
	site := []string{"install", "--name=gone", "--tls=false", "--listen=http=127.0.0.1:9143", folderWith(t, "/srv/gone", "gone\n")}
	installs(t, "gone", site[1:]...)
	if err := os.Remove(service); err != nil {
		t.Fatal(err)
	}
	if said := rouse(t, site...); !strings.Contains(said, "wrote   "+service) {
		t.Errorf("installed again: %s", said)
	}
	page(t, program.Client(t, nil).HTTP1, "http://127.0.0.1:9143/")
	run(t, "systemctl", "disable", "--now", "rouse-gone.socket")
	if got := statusOf(t, "gone"); got.State != "sockets closed" && got.State != "awake" {
		t.Errorf("with its socket closed: %+v", got)
	}
	rouse(t, site...)
	opened(t, "rouse-gone.socket")
	for _, path := range []string{service, "/etc/systemd/system/rouse-gone.socket", "/etc/rouse/gone/rouse.env"} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	rouse(t, "uninstall", "gone")
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}
