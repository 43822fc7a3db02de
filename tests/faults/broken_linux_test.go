package faults

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/program"
)

// standard are descriptors that nobody reads, or that take nothing.
func standard(t *testing.T, what string) *os.File {
	t.Helper()
	switch what {
	case "full":
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { full.Close() })
		return full
	default:
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { w.Close() })
		if what == "closed" {
			r.Close()
		} else {
			t.Cleanup(func() { r.Close() })
		}
		return w
	}
}

// A log that goes nowhere holds nobody up: not a pipe without a reader, not one that nobody empties, not a full device.
func TestLogsThatGoNowhere(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"closed", "unread", "full"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			site := newSite(t)
			plain, address := program.Listener(t)
			nowhere := standard(t, what)
			p := program.Start(t, program.Run{
				Args:  []string{"serve", "--root", site.root, "--log-level", "info", "--lane", "off"},
				Files: []*os.File{plain}, Listen: true, Names: []string{"http"}, Stderr: nowhere, Stdout: nowhere,
			})
			h := &house{&victim{t: t, http: address, pids: func() []int { return []int{p.Pid} }}, p}
			const requests = 1500 // their lines are more than a pipe holds
			var slowest time.Duration
			for range requests {
				slowest = max(slowest, h.ask())
			}
			h.rests()
			begun := time.Now()
			h.Signal(syscall.SIGTERM)
			if state := h.Wait(limit); state.ExitCode() != 0 {
				t.Errorf("it ended with %s", state)
			}
			if took := time.Since(begun); took > 5*time.Second {
				t.Errorf("the end took %s", took)
			}
			tell(t, row{"fault", "standard error " + what, fmt.Sprintf("%d requests, a line for each", requests), "", fmt.Sprintf("all answered, the slowest in %s; exit 0", slowest.Round(time.Millisecond))})
		})
	}
}

// A file that is cut, or goes away, while it is sent gives a reply that ends early or one that is whole, never one of other bytes.
func TestFilesThatChangeWhileSent(t *testing.T) {
	t.Parallel()
	const size = 32 << 20
	cert, key, pool := program.KeyPair(t, t.TempDir())
	for _, protocol := range []string{"http", "https", "h2"} {
		for what, change := range map[string]func(path string) error{
			"truncated": func(path string) error { return os.Truncate(path, size/2) },
			"removed":   os.Remove,
			"replaced": func(path string) error {
				if err := os.WriteFile(path+".new", make([]byte, size), 0o644); err != nil {
					return err
				}
				return os.Rename(path+".new", path)
			},
		} {
			t.Run(protocol+"/"+what, func(t *testing.T) {
				t.Parallel()
				root := t.TempDir()
				path := filepath.Join(root, "large.bin")
				if err := os.WriteFile(path, []byte(strings.Repeat("x", size)), 0o644); err != nil {
					t.Fatal(err)
				}
				file, address := program.Listener(t)
				p := program.Start(t, program.Run{
					Args:  []string{"serve", "--root", root, "--tls-cert", cert, "--tls-key", key, "--log-level", "info", "--log-format", "logfmt"},
					Files: []*os.File{file}, Listen: true, Names: []string{strings.Replace(protocol, "h2", "https", 1)},
				})
				clients := program.Client(t, pool)
				client, scheme := clients.HTTP1, "https"
				if protocol == "h2" {
					client = clients.HTTP2
				} else if protocol == "http" {
					scheme = "http"
				}
				r, err := client.Get(scheme + "://" + address + "/large.bin")
				if err != nil {
					t.Fatal(err)
				}
				defer r.Body.Close()
				first := make([]byte, 64<<10)
				if _, err := io.ReadFull(r.Body, first); err != nil {
					t.Fatal(err)
				}
				if err := change(path); err != nil {
					t.Fatal(err)
				}
				rest, err := io.ReadAll(r.Body)
				got := len(first) + len(rest)
				if strings.Trim(string(rest), "x") != "" {
					t.Error("there are bytes of something else")
				}
				if whole := err == nil; whole != (got == size) || whole == (what == "truncated") {
					t.Errorf("%d bytes, %v", got, err)
				}
				if what == "truncated" {
					p.Stderr.WaitFor("aborted=true", limit)
				}
				again, err := client.Get(scheme + "://" + address + "/large.bin")
				if err != nil {
					t.Fatal(err)
				}
				again.Body.Close()
				if want := map[string]int{"removed": 404}[what]; want != 0 && again.StatusCode != want {
					t.Errorf("afterwards %s", again.Status)
				}
				tell(t, row{"fault", "file " + what + " while sent", "32 MiB over " + protocol, "",
					map[bool]string{true: "the reply ends early and is logged as aborted", false: "the reply is whole, of the old file"}[what == "truncated"]})
			})
		}
	}
}

// Who was stopped for a while goes on, and who waited meanwhile is answered.
func TestStoppedForAWhile(t *testing.T) {
	t.Parallel()
	h := openHouse(t)
	span := 2 * time.Second
	if isLong() {
		span = 30 * time.Second
	}
	h.ask()
	h.Signal(syscall.SIGSTOP)
	var group sync.WaitGroup
	for range 50 {
		c := h.dial()
		c.SetDeadline(time.Now().Add(span + limit))
		group.Go(func() {
			fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
			if got, err := io.ReadAll(c); err != nil || !strings.HasSuffix(string(got), page) {
				t.Errorf("answered %q, %v", got, err)
			}
		})
	}
	time.Sleep(span)
	h.Signal(syscall.SIGCONT)
	group.Wait()
	tell(t, row{"fault", "stopped", fmt.Sprintf("SIGSTOP for %s, 50 clients meanwhile", span), "", "all are answered after SIGCONT"})
}

// Certificates that change and configurations that are read anew under load: every request is answered, and nothing is left behind.
func TestReloadedUnderLoad(t *testing.T) {
	t.Parallel()
	times := 60
	if isLong() {
		times = 1000
	}
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "site"), 0o755); err != nil {
		t.Fatal(err)
	}
	write("site/index.html", "awake\n")
	var pairs [2][2]string
	pool := x509.NewCertPool()
	for i := range pairs {
		certFile, keyFile, _ := program.KeyPair(t, t.TempDir())
		for j, file := range []string{certFile, keyFile} {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			pairs[i][j] = string(text)
		}
		pool.AppendCertsFromPEM([]byte(pairs[i][0]))
	}
	rotate := func(i int) { // the chain first: for a moment the two do not fit
		write("tls.crt", pairs[i%2][0])
		write("tls.key", pairs[i%2][1])
	}
	rotate(0)
	configure := func(i int) {
		write("rouse.toml", fmt.Sprintf("[general]\nroot = %q\ntls-cert = %q\ntls-key = %q\ncache-control-headers = %t\n",
			filepath.Join(dir, "site"), filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"), i%2 == 0))
	}
	configure(0)
	file, address := program.Listener(t)
	admin, adminAddress := program.Listener(t)
	p := program.Start(t, program.Run{
		Args:  []string{"serve", "--config-file", filepath.Join(dir, "rouse.toml"), "--log-level", "warn"},
		Files: []*os.File{file, admin}, Listen: true, Names: []string{"https", "admin"},
	})
	ctx, stop := context.WithCancel(t.Context())
	var asked atomic.Int64
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: i%2 == 0, ForceAttemptHTTP2: true}
			defer transport.CloseIdleConnections()
			client := &http.Client{Transport: transport, Timeout: limit}
			for ctx.Err() == nil {
				r, err := client.Get("https://" + address + "/")
				if err != nil {
					t.Error(err)
					return
				}
				text, err := io.ReadAll(r.Body)
				r.Body.Close()
				if r.StatusCode != 200 || string(text) != "awake\n" || err != nil {
					t.Errorf("%s, %q, %v", r.Status, text, err)
					return
				}
				asked.Add(1)
			}
		})
	}
	some := func() { // requests, so that what was read is in use
		before := asked.Load()
		eventually(t, "requests are answered", func() bool { return t.Failed() || asked.Load() > before+4 })
	}
	some()
	for i := range 10 {
		rotate(i)
		p.Signal(syscall.SIGHUP)
		some()
	}
	v := &victim{admin: adminAddress, pids: func() []int { return []int{p.Pid} }}
	before := v.state()
	for i := range times {
		rotate(i)
		configure(i)
		p.Signal(syscall.SIGHUP)
		some()
	}
	stop()
	group.Wait()
	var after state
	eventually(t, "descriptors and goroutines are as before", func() bool {
		after = v.state()
		return after.descriptors <= before.descriptors && after.goroutines <= before.goroutines
	})
	if after.memory > 2*before.memory+20<<10 {
		t.Errorf("%d KiB, before %d", after.memory, before.memory)
	}
	tell(t, row{"fault", "reloads and certificates", fmt.Sprintf("%d of each under load", times), "static-web-server: SIGHUP does nothing",
		fmt.Sprintf("%d requests answered, none failed; %d to %d descriptors, %d to %d goroutines, %d to %d KiB", asked.Load(),
			before.descriptors, after.descriptors, before.goroutines, after.goroutines, before.memory, after.memory)})
}

// The end comes soon and cleanly at any moment: at the start, at a reload, while a handshake is waited for.
func TestEndedAtBadMoments(t *testing.T) {
	t.Parallel()
	cert, key, _ := program.KeyPair(t, t.TempDir())
	root := t.TempDir()
	for what, moment := range map[string]func(p *program.Process, address string){
		"start":  func(*program.Process, string) {},
		"reload": func(p *program.Process, _ string) { p.Stderr.WaitFor("serving", limit); p.Signal(syscall.SIGHUP) },
		"handshake": func(p *program.Process, address string) {
			p.Stderr.WaitFor("serving", limit)
			c, err := net.DialTimeout("tcp", address, limit)
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(func() { c.Close() })
			io.WriteString(c, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			rounds := 5
			if what == "start" {
				rounds = 40
			}
			var longest time.Duration
			for i := range rounds {
				file, address := program.Listener(t)
				p := program.Start(t, program.Run{
					Args:  []string{"serve", "--root", root, "--tls-cert", cert, "--tls-key", key, "--tls-handshake-timeout", "2s"},
					Files: []*os.File{file}, Listen: true, Names: []string{"https"},
				})
				if what == "start" {
					time.Sleep(time.Duration(i) * 500 * time.Microsecond) // a moment later each time
				}
				moment(p, address)
				begun := time.Now()
				p.Signal(syscall.SIGTERM)
				state := p.Wait(limit)
				longest = max(longest, time.Since(begun))
				status := state.Sys().(syscall.WaitStatus)
				if killed := what == "start" && status.Signaled() && status.Signal() == syscall.SIGTERM; !killed && state.ExitCode() != 0 { // it may not have begun to listen to signals
					t.Fatalf("ended with %s: %s", state, p.Stderr.String())
				}
				if strings.Contains(p.Stderr.String(), "panic") {
					t.Fatal(p.Stderr.String())
				}
			}
			if longest > 6*time.Second {
				t.Errorf("an end took %s", longest)
			}
			tell(t, row{"fault", "SIGTERM at " + what, fmt.Sprintf("%d times", rounds), "static-web-server: waits for silent connections without end",
				"exit 0, the longest after " + longest.Round(time.Millisecond).String()})
		})
	}
}
