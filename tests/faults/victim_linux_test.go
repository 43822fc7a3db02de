package faults

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/program"
)

// limit is for what takes milliseconds where nothing else runs.
const limit = 20 * time.Second

// victim is a server under attack: rouse, or a peer with the same site and the same limits.
type victim struct {
	t           *testing.T
	name        string
	root        string // of rouse: what is served
	https, http string // host:port
	admin       string // of rouse; empty: it is another server
	pids        func() []int
	pool        *x509.CertPool
	process     *program.Process
}

// site is what is attacked: a page, and a file that is longer than all socket buffers together.
type site struct {
	root, cert, key string
	pool            *x509.CertPool
}

const page = "<!doctype html><title>Rouse</title><p>awake\n"

// largeSize is more than a socket takes at once; the file is sparse.
const largeSize = 64 << 20

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{root: t.TempDir()}
	s.cert, s.key, s.pool = program.KeyPair(t, t.TempDir())
	if err := os.WriteFile(filepath.Join(s.root, "index.html"), []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
	large := filepath.Join(s.root, "large.bin")
	if err := os.WriteFile(large, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, largeSize); err != nil {
		t.Fatal(err)
	}
	return s
}

// newVictim starts rouse with options, as an activator would.
func newVictim(t *testing.T, options ...string) *victim {
	t.Helper()
	s := newSite(t)
	v := &victim{t: t, name: "rouse", root: s.root, pool: s.pool}
	var files [3]*os.File
	files[0], v.https = program.Listener(t)
	files[1], v.http = program.Listener(t)
	files[2], v.admin = program.Listener(t)
	v.process = program.Start(t, program.Run{
		Args:  append([]string{"serve", "--root", s.root, "--tls-cert", s.cert, "--tls-key", s.key}, options...),
		Files: files[:], Listen: true, Names: []string{"https", "http", "admin"},
	})
	v.pids = func() []int { return []int{v.process.Pid} }
	return v
}

// state is what a server holds.
type state struct {
	memory      int // KiB of resident memory
	descriptors int
	goroutines  int // of rouse
	clients     int // connections that are not closed
	left        int // closed ones whose last bytes the client does not take
}

// state looks at a server; what belongs to a process that has just ended counts as nothing.
func (v *victim) state() (now state) {
	for _, pid := range v.pids() {
		now.memory += residentMemory(pid)
		open, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		now.descriptors += len(open)
	}
	if v.admin != "" {
		now.goroutines = v.metric("go_goroutines")
	}
	for _, s := range v.sockets() {
		if s.isOpen() {
			now.clients++
		} else {
			now.left++
		}
	}
	return now
}

// metric reads a value without labels from rouse's metrics; 0 when they cannot be had. Its own connection is not counted there.
func (v *victim) metric(name string) int {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: limit}
	reply, err := client.Get("http://" + v.admin + "/metrics")
	if err != nil {
		return 0
	}
	defer reply.Body.Close()
	for lines := bufio.NewScanner(reply.Body); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			n, _ := strconv.ParseFloat(value, 64)
			return int(n)
		}
	}
	return 0
}

// socket is the server's end of a connection, as proc_net_tcp(5) has it.
type socket struct{ port, peer, state uint64 }

// isOpen tells whether the server has not closed it: it is ESTABLISHED, or CLOSE_WAIT.
func (s socket) isOpen() bool { return s.state == 1 || s.state == 8 }

// sockets returns those of the two addresses that are attacked, without those that only wait for their time to be over.
func (v *victim) sockets() (all []socket) {
	text, _ := os.ReadFile("/proc/net/tcp")
	http, https := portOf(v.http), portOf(v.https)
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 4 || !strings.Contains(fields[1], ":") {
			continue
		}
		s := socket{hexBehindColon(fields[1]), hexBehindColon(fields[2]), hexBehindColon("x:" + fields[3])}
		const timeWait, listens = 6, 10
		if (s.port == http || s.port == https) && s.state != timeWait && s.state != listens {
			all = append(all, s)
		}
	}
	return all
}

func hexBehindColon(text string) uint64 {
	_, digits, _ := strings.Cut(text, ":")
	n, _ := strconv.ParseUint(digits, 16, 64)
	return n
}

func portOf(address string) uint64 {
	_, port, _ := net.SplitHostPort(address)
	n, _ := strconv.ParseUint(port, 10, 16)
	return n
}

// residentMemory is Rss in KiB (proc_pid_smaps(5)).
func residentMemory(pid int) int {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "Rss:" {
			n, _ := strconv.Atoi(fields[1])
			return n
		}
	}
	return 0
}

// processorTime is what the server's processes have used (proc_pid_stat(5)).
func (v *victim) processorTime() (used time.Duration) {
	const tick = time.Second / 100 // USER_HZ
	for _, pid := range v.pids() {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		_, rest, _ := strings.Cut(string(text), ") ")
		if fields := strings.Fields(rest); len(fields) > 12 {
			for _, field := range fields[11:13] {
				n, _ := strconv.Atoi(field)
				used += time.Duration(n) * tick
			}
		}
	}
	return used
}

// visitor is a normal client. It asks for the page on a new connection in clear text and on a kept one over TLS.
type visitor struct {
	v     *victim
	kept  *http.Client
	fresh *http.Client
}

func newVisitor(v *victim) *visitor {
	fresh := &http.Transport{DisableKeepAlives: true}
	kept := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: v.pool}}
	v.t.Cleanup(kept.CloseIdleConnections)
	return &visitor{v, &http.Client{Transport: kept, Timeout: limit}, &http.Client{Transport: fresh, Timeout: limit}}
}

// visit asks once and returns how long that took.
func (u *visitor) visit() (time.Duration, error) {
	begun := time.Now()
	for _, one := range []struct {
		client *http.Client
		url    string
	}{{u.fresh, "http://" + u.v.http}, {u.kept, "https://" + u.v.https}} {
		reply, err := one.client.Get(one.url)
		if err != nil {
			return 0, err
		}
		body, err := io.ReadAll(reply.Body)
		reply.Body.Close()
		if err != nil || reply.StatusCode != http.StatusOK || string(body) != page {
			return 0, fmt.Errorf("%s: %s %q %v", one.url, reply.Status, body, err)
		}
	}
	return time.Since(begun), nil
}

// visits asks again and again, until done is closed, and returns the median of the times.
func (u *visitor) visits(done <-chan struct{}) (median time.Duration, err error) {
	var took []time.Duration
	turn := time.NewTicker(5 * time.Millisecond)
	defer turn.Stop()
	for {
		one, err := u.visit()
		if err != nil {
			<-done
			return 0, err
		}
		took = append(took, one)
		select {
		case <-done:
			slices.Sort(took)
			return took[len(took)/2], nil
		case <-turn.C:
		}
	}
}

// quiet is the median where nobody attacks.
func (u *visitor) quiet() (time.Duration, error) {
	done := make(chan struct{})
	time.AfterFunc(500*time.Millisecond, func() { close(done) })
	return u.visits(done)
}
