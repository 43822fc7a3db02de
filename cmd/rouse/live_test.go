package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rouse-server/rouse/server/certificate"
)

// A passed socket is served, the manager is told when, and SIGTERM ends the program without a failure.
func TestServeActivated(t *testing.T) {
	s := activate(t, "http").serve(t, "--root", folder(t), "--log-level", "info", "--port", "80")
	get(t, "http://"+s.Addr().String())
	s.signal(t, syscall.SIGTERM)
	if said := s.expect(t, "STOPPING=1"); !strings.Contains(said, "STATUS=ending after terminated") {
		t.Errorf("the manager got %q", said)
	}
	s.end(t)
	expectWords(t, "the log", s.log.String(), "serving /", "http://"+s.Addr().String()+" from systemd:http", "--port is not used", " GET 200 / ")
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_FDS_FIRST_FD"} {
		if _, left := os.LookupEnv(name); left {
			t.Errorf("%s is left for child processes to believe", name)
		}
	}
}

// An idle service goes away by itself, not while a client is there, and the next knock finds the socket open.
func TestServeIdleExit(t *testing.T) {
	s := activate(t, "http").serve(t, "--root", folder(t), "--idle-exit", "100ms")
	c, err := net.DialTimeout("tcp", s.Addr().String(), patience)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case code := <-s.code:
		t.Fatalf("it ended with %d while a client was connected: %s", code, s.log)
	case <-time.After(500 * time.Millisecond): // the case itself: a client longer than the span
	}
	c.Close()
	s.expect(t, "STOPPING=1\nSTATUS=idle for 100ms")
	s.end(t)
	expectWords(t, "the log", s.log.String(), "exiting until somebody knocks")
}

// SIGHUP takes up a new certificate while the service goes on, keeps the old one when the new is broken, and tells the
// manager of both ends of the reload, with the time that systemd asks for.
func TestServeReload(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	fingerprint := func() string {
		t.Helper()
		development, err := certificate.OpenDevelopment(t.TempDir(), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range [][2]string{{development.Store.CertFile(), cert}, {development.Store.KeyFile(), key}} {
			text, err := os.ReadFile(file[0])
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file[1], text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return certificate.Fingerprint(development.Store.Leaf())
	}
	first := fingerprint()
	s := activate(t, "https").serve(t, "--root", folder(t), "--tls-cert", cert, "--tls-key", key)
	get(t, "https://"+s.Addr().String())
	expectWords(t, "the log", s.log.String(), first)
	second := fingerprint()
	s.signal(t, syscall.SIGHUP)
	expectWords(t, "the manager", s.expect(t, "RELOADING=1"), "\nMONOTONIC_USEC=")
	s.expect(t, "READY=1")
	expectWords(t, "the log", s.log.String(), second)
	if err := os.WriteFile(cert, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.signal(t, syscall.SIGHUP)
	s.expect(t, "RELOADING=1")
	s.expect(t, "READY=1")
	expectWords(t, "the log", s.log.String(), "the old one is kept", cert)
	get(t, "https://"+s.Addr().String())
	s.signal(t, syscall.SIGINT)
	s.end(t)
}

// The watchdog is told of life as long as requests are answered.
func TestServeWatchdog(t *testing.T) {
	t.Setenv("WATCHDOG_USEC", "100000")
	s := activate(t, "http").serve(t, "--root", folder(t))
	for range 3 {
		s.expect(t, "WATCHDOG=1")
	}
	get(t, "http://"+s.Addr().String()) // signs of life do not disturb
	s.signal(t, syscall.SIGTERM)
	s.end(t)
}

// A second signal ends the program now, whatever grace it was given; a reload in between does not.
func TestServeSecondSignal(t *testing.T) {
	s := activate(t, "http").serve(t, "--root", folder(t), "--grace-period", "200", "--log-level", "warn")
	s.signal(t, syscall.SIGTERM)
	s.expect(t, "STOPPING=1")
	get(t, "http://"+s.Addr().String()) // the grace period goes on accepting
	s.signal(t, syscall.SIGHUP)
	get(t, "http://"+s.Addr().String())
	s.signal(t, syscall.SIGTERM)
	s.end(t)
	expectWords(t, "the log", s.log.String(), "second signal")
}

// A misspelt variable is told of even at the level at which nothing else is.
func TestNoticesAlways(t *testing.T) {
	a := activate(t, "http")
	set(t, a.env...)
	s := a.run(t, []string{"SERVER_PROT=80"}, "--root", folder(t), "--log-level", "error")
	get(t, "http://"+a.Addr().String())
	s.signal(t, syscall.SIGTERM)
	s.end(t)
	expectWords(t, "the log", s.log.String(), "SERVER_PROT is not a variable of Rouse", "did you mean SERVER_PORT?", "serving")
	if strings.Contains(s.log.String(), " GET ") {
		t.Errorf("requests are logged at level error: %s", s.log)
	}
}
