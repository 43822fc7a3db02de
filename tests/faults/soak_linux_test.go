package faults

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
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

// soakVariable says how long a soak lasts that this process is to make by itself.
const soakVariable = "ROUSE_SOAK"

// shortSoak is how long it lasts beside the other tests.
const shortSoak = 2 * time.Minute

// soakTime is how long the soak of this process lasts: half an hour in the long drill, or what was asked for.
func soakTime(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv(soakVariable)
	if text == "" {
		return 30 * time.Minute
	}
	span, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("%s: %v", soakVariable, err)
	}
	return span
}

// Without this, what is lost or forgotten once in a hundred thousand requests would be found by users. Beside the other tests it takes what
// those leave of the processors (nice(1)), server and clients alike.
func TestSoak(t *testing.T) {
	if isLong() || os.Getenv(soakVariable) != "" {
		soakThrough(t, soakTime(t))
		return
	}
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := program.Start(t, program.Run{
		Binary: self, Through: []string{"nice", "-n", "19"}, Args: []string{"-test.run=^TestSoak$", "-test.v", "-test.timeout=" + (shortSoak + 2*limit).String()},
		Env: []string{soakVariable + "=" + shortSoak.String(), "ROUSE_BINARY=" + program.Binary(t)},
	})
	if state := p.Wait(shortSoak + 2*limit); state.ExitCode() != 0 {
		t.Errorf("it ended with %s", state)
	}
	for line := range strings.Lines(p.Stdout.String()) {
		if cells := strings.Split(strings.Trim(line, "| \n"), " | "); len(cells) == 5 && cells[0] == "soak" {
			tell(t, row{cells[0], cells[1], cells[2], strings.TrimSpace(cells[3]), cells[4]})
			return
		}
	}
	t.Errorf("it tells nothing")
}

// soak is mixed traffic against a server whose files do not change but for one, which is replaced all the time.
type soak struct {
	*victim
	content map[string][]byte // by path
	clients []*http.Client    // one for each protocol
	urls    []string
	asked   atomic.Int64
	changes atomic.Int64
}

// newSoak starts the server with everything that replies can come from: kept ones, compressed ones, large files and listings.
func newSoak(t *testing.T) *soak {
	t.Helper()
	s := &soak{victim: newVictim(t, "--directory-listing", "--log-level", "warn", "--client-header-timeout", "2s", "--send-timeout", "3s"), content: map[string][]byte{}}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 300 {
		text := bytes.Repeat([]byte(fmt.Sprintf("file %d of many, %x\n", i, random.Uint64())), 1+random.IntN(2000))
		name := fmt.Sprintf("f%d.%s", i, []string{"txt", "js", "bin"}[i%3])
		s.write(name, text)
		s.content["/"+name] = text
	}
	s.write("changing.txt", []byte("version 0\n"))
	for i, protocol := range []string{"http", "https", "h2"} {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.pool}, MaxIdleConnsPerHost: 50, DisableCompression: true, Protocols: new(http.Protocols)}
		transport.Protocols.SetHTTP1(protocol != "h2")
		transport.Protocols.SetHTTP2(protocol == "h2")
		t.Cleanup(transport.CloseIdleConnections)
		s.clients = append(s.clients, &http.Client{Transport: transport, Timeout: time.Minute})
		s.urls = append(s.urls, []string{"http://" + s.http, "https://" + s.https, "https://" + s.https}[i])
	}
	return s
}

// write replaces a file of the site as a whole.
func (s *soak) write(name string, text []byte) {
	path := filepath.Join(s.root, name)
	err := os.WriteFile(path+".new", text, 0o644)
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		s.t.Error(err)
	}
}

// ask sends one request of a kind that comes by chance, and checks its answer.
func (s *soak) ask(random *rand.Rand) error {
	i := random.IntN(len(s.clients))
	path := fmt.Sprintf("/f%d.%s", 0, "txt")
	if n := random.IntN(300); n > 0 {
		path = fmt.Sprintf("/f%d.%s", n, []string{"txt", "js", "bin"}[n%3])
	}
	whole := s.content[path]
	request, err := http.NewRequest("GET", s.urls[i]+path, nil)
	if err != nil {
		return err
	}
	status, want := http.StatusOK, whole
	kind := random.IntN(12)
	switch kind {
	case 0:
		from := random.IntN(len(whole))
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", from))
		status, want = http.StatusPartialContent, whole[from:]
	case 1:
		request.Header.Set("If-Modified-Since", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
		status, want = http.StatusNotModified, nil
	case 2:
		request.URL.Path = "/nothing-here"
		status, want = http.StatusNotFound, nil
	case 3:
		request.URL.Path = "/"
		want = []byte(page)
	case 4:
		request.Method, want = "HEAD", nil
	case 5:
		request.URL.Path, want = "/changing.txt", nil
	case 6:
		request.Header.Set("Accept-Encoding", []string{"gzip", "br", "zstd"}[random.IntN(3)])
		want = nil // the conformance suite looks into them
	case 7:
		return s.breakOff(request)
	}
	reply, err := s.clients[i].Do(request)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	got, err := io.ReadAll(reply.Body)
	switch {
	case err != nil:
		return fmt.Errorf("%s %s: %w", request.Method, request.URL, err)
	case reply.StatusCode != status:
		return fmt.Errorf("%s %s: %s", request.Method, request.URL, reply.Status)
	case want != nil && sha256.Sum256(got) != sha256.Sum256(want):
		return fmt.Errorf("%s %s: %d bytes that are not the file's %d", request.Method, request.URL, len(got), len(want))
	case kind == 5 && !strings.HasPrefix(string(got), "version "):
		return fmt.Errorf("the changing file is %q", got)
	}
	s.asked.Add(1)
	return nil
}

// breakOff asks for the large file and leaves after its beginning.
func (s *soak) breakOff(request *http.Request) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	request.URL.Path = "/large.bin"
	reply, err := s.clients[0].Do(request.WithContext(ctx))
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	_, err = io.CopyN(io.Discard, reply.Body, 100<<10)
	return err
}

// dawdle is a client that says half a request, or reads nothing, until it is closed.
func (s *soak) dawdle(ctx context.Context, random *rand.Rand) {
	dialer := net.Dialer{Timeout: limit}
	c, err := dialer.DialContext(ctx, "tcp", s.http)
	if err != nil {
		return
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	if random.IntN(2) == 0 {
		io.WriteString(c, "GET / HTTP/1.1\r\nHost:")
		io.Copy(io.Discard, c)
		return
	}
	io.WriteString(c, "GET /large.bin HTTP/1.1\r\nHost: x\r\n\r\n")
	select {
	case <-ctx.Done():
	case <-time.After(4 * time.Second):
	}
}

// soakThrough is mixed traffic at full tilt: every reply is right, and memory and descriptors are flat after the first quarter.
func soakThrough(t *testing.T, span time.Duration) {
	s := newSoak(t)
	ctx, stop := context.WithTimeout(t.Context(), span)
	defer stop()
	var group sync.WaitGroup
	worker := func(seed uint64, work func(*rand.Rand)) {
		group.Go(func() {
			for random := rand.New(rand.NewPCG(seed, 7)); ctx.Err() == nil && !t.Failed(); {
				work(random)
			}
		})
	}
	for i := range 12 {
		worker(uint64(i), func(random *rand.Rand) {
			if err := s.ask(random); err != nil {
				t.Error(err)
			}
		})
	}
	for i := range 10 {
		worker(100+uint64(i), func(random *rand.Rand) { s.dawdle(ctx, random) })
	}
	worker(200, func(*rand.Rand) {
		s.write("changing.txt", []byte(fmt.Sprintf("version %d\n", s.changes.Add(1))))
		s.process.Signal(syscall.SIGHUP)
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	})
	var early, late []state
	turn := time.NewTicker(min(span/12, time.Minute))
	defer turn.Stop()
	for begun := time.Now(); ctx.Err() == nil; {
		select {
		case <-ctx.Done():
		case <-turn.C:
			now := s.state()
			t.Logf("after %s: %d requests, %d KiB, %d descriptors, %d goroutines", time.Since(begun).Round(time.Second), s.asked.Load(), now.memory, now.descriptors, now.goroutines)
			if time.Since(begun) < span/2 {
				early = append(early, now)
			} else {
				late = append(late, now)
			}
		}
	}
	group.Wait()
	if t.Failed() || len(late) == 0 || len(early) < 2 {
		return
	}
	most := func(all []state, of func(state) int) (n int) {
		for _, one := range all {
			n = max(n, of(one))
		}
		return n
	}
	memory := func(s state) int { return s.memory }
	open := func(s state) int { return s.descriptors }
	const settled = 2 * time.Minute // before, caches still fill
	if before, after := most(early[1:], memory), most(late, memory); span >= settled && after > before+before/4+8<<10 {
		t.Errorf("memory grows: %d KiB in the first half, %d in the second", before, after)
	}
	if before, after := most(early[1:], open), most(late, open); after > 2*before+50 {
		t.Errorf("descriptors grow: %d in the first half, %d in the second", before, after)
	}
	tell(t, row{"soak", "mixed traffic", fmt.Sprintf("%s: HTTP/1.1, TLS, HTTP/2, ranges, conditions, coded, broken off, slow clients, %d reloads", span, s.changes.Load()), "",
		fmt.Sprintf("%d replies, all right; %d KiB at the most in the first half, %d in the second", s.asked.Load(), most(early[1:], memory), most(late, memory))})
}
