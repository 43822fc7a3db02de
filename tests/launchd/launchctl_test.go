// Package launchd has a real launchd, that of the user who is logged in, hold Rouse's sockets: it starts Rouse for a client,
// again after Rouse has gone to sleep, and nothing is left at the end. It runs on a Mac alone.
package launchd

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"testing"
	"time"
)

const (
	prefix = "io.github.rouse-server.rouse."
	page   = "Rouse is awake.\n"
	// limit is for what takes a moment where nothing else runs, and 10 s where launchd waits between two starts of a job.
	limit = time.Minute
)

// needsLaunchd skips the test elsewhere. On a Mac whose user is not logged in at the screen it fails.
func needsLaunchd(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "darwin" {
		t.Skip("there is no launchd but on macOS")
	}
	if said, err := launchctl(t, "print", domain()); err != nil {
		t.Fatalf("user %d has no session that an agent could live in: %v\n%s", os.Getuid(), err, said)
	}
}

func domain() string { return fmt.Sprintf("gui/%d", os.Getuid()) }

// launchctl runs launchctl(1). It also runs at the end of a test, when its context is over.
func launchctl(t *testing.T, words ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), limit)
	defer cancel()
	said, err := exec.CommandContext(ctx, "launchctl", words...).CombinedOutput()
	return string(said), err
}

// drill is a site that launchd holds the sockets of.
type drill struct {
	label   string
	address string // of its https socket
	pool    *x509.CertPool
	log     string
}

// fetch gets the page by a connection of its own.
func (d drill) fetch(t *testing.T) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: d.pool}, DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport, Timeout: limit}
	answer, err := client.Get("https://" + d.address + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode != http.StatusOK || string(body) != page {
		t.Fatalf("%s, %q, %v", answer.Status, body, err)
	}
}

// pid is that of the service; 0 while it sleeps.
func (d drill) pid(t *testing.T) int {
	t.Helper()
	said, err := launchctl(t, "print", domain()+"/"+d.label)
	if err != nil {
		t.Fatalf("launchctl print: %v\n%s", err, said)
	}
	match := regexp.MustCompile(`(?m)^\tpid = (\d+)$`).FindStringSubmatch(said)
	if match == nil {
		return 0
	}
	pid, err := strconv.Atoi(match[1])
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// sleeps waits until the service has ended.
func (d drill) sleeps(t *testing.T) {
	t.Helper()
	waitFor(t, "the service to go to sleep", func() bool { return d.pid(t) == 0 })
}

// wakesAndSleeps has a client wake the service twice.
func (d drill) wakesAndSleeps(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		if text, err := os.ReadFile(d.log); t.Failed() && err == nil {
			t.Logf("its log:\n%s", text)
		}
	})
	if pid := d.pid(t); pid != 0 {
		t.Errorf("it runs, as process %d, before anybody came", pid)
	}
	d.fetch(t)
	first := d.pid(t)
	if first == 0 {
		t.Error("it answered, and does not run")
	}
	d.sleeps(t)
	d.fetch(t)
	if second := d.pid(t); second == first {
		t.Errorf("it slept, and is still process %d", first)
	}
}

// gone waits until nobody listens there any more.
func (d drill) gone(t *testing.T) {
	t.Helper()
	waitFor(t, "the socket to be closed", func() bool {
		connection, err := net.DialTimeout("tcp", d.address, limit)
		if err == nil {
			connection.Close()
		}
		return err != nil
	})
	if said, err := launchctl(t, "print", domain()+"/"+d.label); err == nil {
		t.Errorf("launchd still has it:\n%s", said)
	}
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	over, look := time.After(limit), time.NewTicker(50*time.Millisecond)
	defer look.Stop()
	for !done() {
		select {
		case <-over:
			t.Fatalf("waited %v for %s", limit, what)
		case <-look.C:
		}
	}
}

// freePort is a port of loopback that was free a moment ago: launchd opens sockets by number alone.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
}

// folder is one with the page in it, outside the folders that macOS keeps services out of.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "index.html"), []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// tree lists what lies in the folders of the user's that an installation writes to.
func tree(t *testing.T) map[string]bool {
	t.Helper()
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	for _, below := range []string{"Library/LaunchAgents/*", "Library/Application Support/rouse", "Library/Application Support/rouse/*"} {
		names, err := filepath.Glob(filepath.Join(home, below))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			all[name] = true
		}
	}
	return all
}

func sameTree(t *testing.T, before, after map[string]bool) {
	t.Helper()
	if !maps.Equal(before, after) {
		t.Errorf("before: %v\nafter: %v", before, after)
	}
}

// rouse runs the program, which has to succeed, and returns what it printed.
func rouse(t *testing.T, binary string, words ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 2*limit)
	defer cancel()
	command := exec.CommandContext(ctx, binary, words...)
	var said bytes.Buffer
	command.Stderr = &said
	out, err := command.Output()
	if err != nil {
		t.Fatalf("rouse %q: %v\n%s%s", words, err, out, said.String())
	}
	return string(out)
}
