package launchd

import (
	"crypto/x509"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"howett.net/plist"

	"github.com/rouse-server/rouse/packaging"
	"github.com/rouse-server/rouse/packaging/install"
	"github.com/rouse-server/rouse/tests/program"
)

// The shipped agent, with ports, paths and times of the test's, by launchctl alone: bootstrap, fetch, idle exit, fetch again,
// bootout.
func TestLaunchctl(t *testing.T) {
	needsLaunchd(t)
	work, port := t.TempDir(), freePort(t)
	certificate, key, pool := program.KeyPair(t, work, "127.0.0.1")
	d := drill{label: fmt.Sprintf("%stest-%d", prefix, os.Getpid()), address: "127.0.0.1:" + port, pool: pool, log: filepath.Join(work, "log")}
	file := filepath.Join(work, d.label+".plist")
	agent(t, file, func(job map[string]any) {
		job["Label"], job["StandardErrorPath"] = d.label, d.log
		job["ProgramArguments"] = []string{program.Binary(t), "serve"}
		variables := job["EnvironmentVariables"].(map[string]any)
		variables["SERVER_ROOT"], variables["SERVER_IDLE_EXIT"] = folder(t), "1s"
		variables["SERVER_TLS_CERT"], variables["SERVER_TLS_KEY"] = certificate, key
		for name, port := range map[string]string{"https": port, "http": freePort(t)} {
			for _, socket := range job["Sockets"].(map[string]any)[name].([]any) {
				socket.(map[string]any)["SockServiceName"] = port
			}
		}
	})
	if said, err := launchctl(t, "bootstrap", domain(), file); err != nil {
		t.Fatalf("launchctl bootstrap: %v\n%s", err, said)
	}
	t.Cleanup(func() { launchctl(t, "bootout", domain()+"/"+d.label) })
	d.wakesAndSleeps(t)
	if said, err := launchctl(t, "bootout", domain()+"/"+d.label); err != nil && !strings.Contains(said, "in progress") {
		t.Errorf("launchctl bootout: %v\n%s", err, said)
	}
	d.gone(t)
}

// agent writes the shipped property list for one user, changed, into a file.
func agent(t *testing.T, file string, change func(job map[string]any)) {
	t.Helper()
	text, err := fs.ReadFile(packaging.Files(), "launchd/agent/io.github.rouse-server.rouse.plist")
	if err != nil {
		t.Fatal(err)
	}
	var job map[string]any
	if _, err := plist.Unmarshal(text, &job); err != nil {
		t.Fatal(err)
	}
	change(job)
	if text, err = plist.MarshalIndent(job, plist.XMLFormat, "\t"); err == nil {
		err = install.CheckPropertyList(file, text)
	}
	if err == nil {
		err = os.WriteFile(file, text, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// The same by rouse install, with a certificate that it makes, and back by rouse uninstall.
func TestInstall(t *testing.T) {
	needsLaunchd(t)
	before, binary := tree(t), program.Binary(t)
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("test-%d", os.Getpid())
	words := []string{"install", "--user", "--name", name, "--listen", "https=127.0.0.1:" + freePort(t), "--host-name", "127.0.0.1", "--idle-exit", "1s", folder(t)}
	t.Cleanup(func() {
		if _, err := os.Stat(filepath.Join(home, "Library/Application Support/rouse", name)); err == nil {
			rouse(t, binary, "uninstall", "--user", name)
		}
		sameTree(t, before, tree(t))
	})
	told := rouse(t, binary, words...)
	address := strings.TrimPrefix(words[5], "https=")
	if !strings.Contains(told, address[strings.LastIndex(address, ":"):]) {
		t.Errorf("it does not say where the site is:\n%s", told)
	}
	chain, err := os.ReadFile(filepath.Join(home, "Library/Application Support/rouse", name, "tls.crt"))
	if err != nil {
		t.Fatal(err)
	}
	d := drill{label: prefix + name, address: address, pool: x509.NewCertPool(), log: filepath.Join(home, "Library/Logs", prefix+name+".log")}
	d.pool.AppendCertsFromPEM(chain)
	t.Cleanup(func() { os.Remove(d.log) })
	d.wakesAndSleeps(t)
	if told := rouse(t, binary, "status", "--user"); !strings.Contains(told, name) {
		t.Errorf("rouse status does not know it:\n%s", told)
	}
	rouse(t, binary, words...) // changes nothing
	d.sleeps(t)
	d.fetch(t)
	rouse(t, binary, "uninstall", "--user", name)
	d.gone(t)
}
