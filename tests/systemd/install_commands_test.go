package systemd

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// cleans removes what a program stored, which stays after `rouse uninstall`.
func cleans(t *testing.T, name string) {
	t.Cleanup(func() {
		for _, folder := range []string{"lib", "cache", "log"} {
			os.RemoveAll("/var/" + folder + "/private/rouse-" + name)
			os.Remove("/var/" + folder + "/rouse-" + name)
		}
	})
}

// installsProgram is installs for a program, whose folders stay until the test removes them.
func installsProgram(t *testing.T, name string, args ...string) (said string) {
	t.Helper()
	needsSystemd(t)
	t.Cleanup(func() { noTraces(t, name) }) // the last one: after the folders are gone
	cleans(t, name)
	said = rouse(t, append([]string{"install"}, args...)...)
	t.Cleanup(func() { rouse(t, "uninstall", name) })
	return said
}

// Without this nginx would run all day long for nobody: `rouse install run -- nginx` puts it to sleep, beside other sites.
func TestInstallRunsNginx(t *testing.T) {
	t.Parallel()
	needsSystemd(t)
	if _, err := exec.LookPath(nginxPath); err != nil {
		t.Skipf("nginx is not installed: %v", err)
	}
	const config, service = "/etc/wiki.conf", "rouse-wiki.service"
	writeFile(t, config, strings.NewReplacer("rouse-run/site", "rouse-wiki", "127.0.0.1:8080", "9120", "[::1]:8080", "[::]:9120").Replace(nginxConfig("first")))
	t.Cleanup(func() { os.Remove(config) })
	said := installsProgram(t, "wiki", "run", "--name", "wiki", "--listen", "9120", "--idle-stop", "1s", "--", "nginx", "-e", "stderr", "-c", config)
	for _, part := range []string{"rouse-wiki.socket", "rouse uninstall wiki", "0.0.0.0:9120", "[::]:9120", "/var/lib/rouse-wiki"} {
		if !strings.Contains(said, part) {
			t.Errorf("install does not say %q:\n%s", part, said)
		}
	}
	if got := statusOf(t, "wiki"); got.State != "asleep" || got.Command != "run" {
		t.Errorf("before the first client: %+v", got)
	}
	for _, address := range []string{"127.0.0.1:9120", "[::1]:9120"} {
		addressesRight(t, address)
	}
	if got := statusOf(t, "wiki"); got.State != "awake" {
		t.Errorf("while it runs: %+v", got)
	}
	waitFor(t, "nginx ends when idle", func() bool { _, others := processesOf(t, service); return len(others) == 0 })
	addressesRight(t, "[::1]:9120")
	if !hasOwnNetwork(t, service) {
		t.Error("nginx has the machine's network")
	}
	run(t, "systemd-analyze", "security", "--no-pager", "--threshold=5", service)
}

// Without this a program would get other words than those that were typed, or its client would not: each connection has a
// process of its own, whose arguments are what they were, byte for byte.
func TestInstallInetd(t *testing.T) {
	t.Parallel()
	needsSystemd(t)
	words := []string{"a b", `"`, "'", `\`, `\n`, "%n", "%%", "$HOME", "${HOME}", "$$", ";", "#", "", " ", "é", "\t", "two\nlines", "-", "--", "a=b", "\x01", `\x41`, "{", "@", "+", "!", "&"}
	installsProgram(t, "words", append([]string{"inetd", "--name=words", "--listen=127.0.0.1:9125", "--", "sh", "-c", `printf '%s|' "$@"; cat`, "sh"}, words...)...)
	if got, want := talk(t, "127.0.0.1:9125", "hello\n"), strings.Join(words, "|")+"|hello\n"; got != want {
		t.Errorf("the program has\n%q, want\n%q", got, want)
	}
	if got := statusOf(t, "words"); got.State != "awake" || got.Command != "inetd" || strings.Join(got.Listen, " ") != "127.0.0.1:9125" {
		t.Errorf("while it runs: %+v", got)
	}
}

// Without this people would not know whether it is the hardening that keeps their program from its database: --egress gives
// it the machine's network, and nothing else does.
func TestInstallEgress(t *testing.T) {
	t.Parallel()
	needsSystemd(t)
	const script = "readlink /proc/self/ns/net; id -u; echo $REMOTE_ADDR; curl -sS -m 5 http://127.0.0.1:9129/ 2>&1"
	backend := folderWith(t, "/srv/egress-backend", "from the backend\n")
	installs(t, "backend", "--name=backend", "--tls=false", "--listen=http=127.0.0.1:9129", backend)
	own, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	for i, option := range []string{"--egress", "--offline"} {
		name, address := "out"+option[2:], fmt.Sprint("127.0.0.1:", 9130+i)
		installsProgram(t, name, "inetd", option, "--name", name, "--listen", address, "--", "sh", "-c", script)
		got := strings.SplitN(talk(t, address, ""), "\n", 4)
		if len(got) != 4 || (got[0] == own) != (option == "--egress") || got[1] == "0" || got[2] != "127.0.0.1" || (got[3] == "from the backend\n") != (option == "--egress") {
			t.Errorf("%s: %q", option, got)
		}
	}
}

// A program that has to be somebody is: --account of install, and --user=NAME of inetd. Its files need not be readable by all.
func TestInstallAccount(t *testing.T) {
	t.Parallel()
	needsSystemd(t)
	folder := folderWith(t, "/srv/account", "for www-data\n")
	run(t, "chown", "root:www-data", folder)
	run(t, "chmod", "0750", folder)
	if got := try(t, rousePath, "install", "--name=account", "--tls=false", "--listen=http=127.0.0.1:9137", folder); got.code != 78 || !strings.Contains(got.stderr, "chmod o+rx "+folder) {
		t.Errorf("without the account: %+v", got)
	}
	installs(t, "account", "--name=account", "--account=www-data", "--tls=false", "--listen=http=127.0.0.1:9137", folder)
	if got := page(t, program.Client(t, nil).HTTP1, "http://127.0.0.1:9137/"); got != "for www-data\n" {
		t.Errorf("it serves %q", got)
	}
	installsProgram(t, "who", "inetd", "--name=who", "--user=www-data", "--listen=127.0.0.1:9138", "--", "id", "-un")
	if got := talk(t, "127.0.0.1:9138", ""); got != "www-data\n" {
		t.Errorf("it runs as %q", got)
	}
}

// Whoever built the program has it in a home. Services see homes as far as their user may go there, which others often may not;
// in /tmp they would not find it at all.
func TestInstallFromAHome(t *testing.T) {
	t.Parallel()
	needsSystemd(t)
	t.Cleanup(func() { os.RemoveAll("/home/dev") })
	folder := folderWith(t, "/home/dev/site", "dev's\n")
	for _, path := range []string{"/home/dev/go/bin", "/tmp/dev"} {
		if err := errors.Join(os.MkdirAll(path, 0o755), copyFile(rousePath, path+"/rouse", 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { os.RemoveAll("/tmp/dev") })
	run(t, "chmod", "0700", "/home/dev")
	site := []string{"install", "--name=dev", "--listen=https=127.0.0.1:9139", folder}
	for program, problem := range map[string]string{"/tmp/dev/rouse": "/tmp/dev/rouse", "/home/dev/go/bin/rouse": "chmod o+x /home/dev", rousePath: "chmod o+x /home/dev"} {
		if got := try(t, program, site...); got.code != 78 || !strings.Contains(got.stderr, problem) {
			t.Errorf("from %s: %+v", program, got)
		}
	}
	noTraces(t, "dev")
	run(t, "chmod", "0711", "/home/dev")
	t.Cleanup(func() { uninstalls(t, "dev") })
	run(t, "/home/dev/go/bin/rouse", site...)
	if got := page(t, secure(t, "dev"), "https://127.0.0.1:9139/"); got != "dev's\n" {
		t.Errorf("it serves %q", got)
	}
	run(t, "systemctl", "start", "rouse-dev-renew.service")
}

// Several at once, as programs that set up machines do it, take turns.
func TestInstallAtOnce(t *testing.T) {
	t.Parallel()
	needsSystemd(t)
	site := []string{"install", "--name=turns", "--listen=https=127.0.0.1:9146", folderWith(t, "/srv/turns", "turns\n")}
	t.Cleanup(func() { uninstalls(t, "turns") })
	results := make(chan outcome, 3)
	for range cap(results) {
		go func() { results <- try(t, rousePath, site...) }()
	}
	for range cap(results) {
		if got := <-results; got.code != 0 {
			t.Errorf("installed thrice at once: %+v", got)
		}
	}
	if got := page(t, secure(t, "turns"), "https://127.0.0.1:9146/"); got != "turns\n" {
		t.Errorf("it serves %q", got)
	}
	for range cap(results) {
		go func() { results <- try(t, rousePath, "uninstall", "turns") }()
	}
	codes := map[int]int{}
	for range cap(results) {
		codes[(<-results).code]++
	}
	if codes[0] != 1 || codes[2] != 2 {
		t.Errorf("uninstalled thrice at once, it ends with %v", codes)
	}
}

// Without this a dispatcher would have to be set up by hand: it starts at once and at boot, and has the sockets of its rules and
// those that systemd holds.
func TestInstallDispatch(t *testing.T) {
	t.Parallel()
	needsSystemd(t)
	const rules = "/etc/front.toml"
	installs(t, "behind", "--name=behind", "--tls=false", "--listen=http=/run/rouse-behind.sock", folderWith(t, "/srv/behind", "behind\n"))
	if info, err := os.Stat("/run/rouse-behind.sock"); err != nil || info.Mode().Perm() != 0o666 {
		t.Errorf("the socket of the server: %v, %v", info, err)
	}
	writeFile(t, rules, "fallback = \"app\"\n[listeners.web]\naddress = [\"systemd:web\", \"tcp:127.0.0.1:9136\"]\n[backends.app]\nconnect = \"unix:/run/rouse-behind.sock\"\n")
	t.Cleanup(func() { os.Remove(rules) })
	installs(t, "front", "dispatch", "--config", rules, "--listen", "web=127.0.0.1:9135")
	if state := property(t, "rouse-front.service", "ActiveState") + " " + property(t, "rouse-front.service", "UnitFileState"); state != "active enabled" {
		t.Errorf("the dispatcher is %s", state)
	}
	client := program.Client(t, nil).HTTP1
	for _, port := range []string{"9135", "9136"} {
		if got := page(t, client, "http://127.0.0.1:"+port+"/"); got != "behind\n" {
			t.Errorf("port %s: %q", port, got)
		}
	}
	if got := statusOf(t, "front"); got.State != "awake" || got.Command != "dispatch" {
		t.Errorf("status: %+v", got)
	}
	run(t, "systemctl", "stop", "rouse-front.service")
	if got := statusOf(t, "front"); got.State != "asleep" { // the socket that systemd holds wakes it
		t.Errorf("status of one that was stopped: %+v", got)
	}
	if got := page(t, client, "http://127.0.0.1:9135/"); got != "behind\n" {
		t.Errorf("the client who starts it again: %q", got)
	}
	run(t, "systemd-analyze", "security", "--no-pager", "--threshold=22", "rouse-front.service")
}
