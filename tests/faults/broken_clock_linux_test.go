package faults

import (
	"bytes"
	"context"
	"crypto/tls"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/program"
)

// wallClock is the time of day of another process. The machine's cannot be set for one process alone, since time namespaces leave it
// out (time_namespaces(7)), but a Go program asks for it in one place: __vdso_clock_gettime (vdso(7)), which is replaced in that
// process's memory by machine code that calls the kernel and adds so many seconds.
type wallClock struct {
	memory *os.File
	offset int64 // address of the seconds that are added
}

// clockCode is clock_gettime(2) on amd64, for the vDSO's callers: CLOCK_REALTIME is 0, and the last eight bytes are added to its seconds.
var clockCode = []byte{
	0xb8, 228, 0, 0, 0, // mov eax, SYS_clock_gettime
	0x0f, 0x05, // syscall
	0x85, 0xff, // test edi, edi
	0x75, 10, // jne to ret
	0x48, 0x8b, 0x0d, 4, 0, 0, 0, // mov rcx, [the seconds]
	0x48, 0x01, 0x0e, // add [rsi], rcx
	0xc3,                   // ret
	0, 0, 0, 0, 0, 0, 0, 0, // the seconds
}

// takeClock takes a process's clock while none of its threads looks at it.
func takeClock(t *testing.T, p *program.Process) *wallClock {
	t.Helper()
	if runtime.GOARCH != "amd64" {
		t.Skip("the clock of another process is replaced by machine code, which is written for amd64")
	}
	memory, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", p.Pid), os.O_RDWR, 0)
	if err != nil {
		t.Skipf("the memory of another process cannot be written to: %v", err)
	}
	t.Cleanup(func() { memory.Close() })
	begin, end := vdsoOf(t, p.Pid)
	image := make([]byte, end-begin)
	if _, err := memory.ReadAt(image, begin); err != nil {
		t.Fatal(err)
	}
	c := &wallClock{memory: memory}
	at := begin + clockOf(t, image)
	eventually(t, "no thread looks at the clock", func() bool {
		program.Freeze(t, p.Pid)
		defer p.Signal(syscall.SIGCONT)
		if isWithin(p.Pid, begin, end) {
			return false
		}
		if _, err := memory.WriteAt(clockCode, at); err != nil {
			t.Fatal(err)
		}
		return true
	})
	c.offset = at + int64(len(clockCode)) - 8
	return c
}

// jump sets the clock so far away from the machine's.
func (c *wallClock) jump(t *testing.T, by time.Duration) {
	t.Helper()
	if _, err := c.memory.WriteAt(binary.LittleEndian.AppendUint64(nil, uint64(int64(by/time.Second))), c.offset); err != nil {
		t.Fatal(err)
	}
}

// vdsoOf is where the vDSO lies in a process.
func vdsoOf(t *testing.T, pid int) (begin, end int64) {
	t.Helper()
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(maps)) {
		if strings.HasSuffix(line, "[vdso]\n") {
			if _, err := fmt.Sscanf(line, "%x-%x", &begin, &end); err != nil {
				t.Fatal(line, err)
			}
			return begin, end
		}
	}
	t.Skip("this kernel gives its programs no vDSO")
	return 0, 0
}

// clockOf is where in the vDSO's image the clock's function begins.
func clockOf(t *testing.T, image []byte) int64 {
	t.Helper()
	file, err := elf.NewFile(bytes.NewReader(image))
	if err != nil {
		t.Fatal(err)
	}
	symbols, err := file.DynamicSymbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, symbol := range symbols {
		if symbol.Name == "__vdso_clock_gettime" {
			return int64(symbol.Value - file.Progs[0].Vaddr)
		}
	}
	t.Fatal("the vDSO has no clock")
	return 0
}

// isWithin tells whether a thread of a stopped process is at these addresses, or where it is cannot be told (proc_pid_syscall(5)).
func isWithin(pid int, begin, end int64) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", pid))
	for _, path := range threads {
		text, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			continue // the thread is gone
		}
		fields := strings.Fields(string(text))
		if err != nil || len(fields) < 2 {
			return true
		}
		if at, err := strconv.ParseInt(fields[len(fields)-1], 0, 64); err != nil || at >= begin && at < end {
			return true
		}
	}
	return false
}

// A clock that jumps a year ahead, two back and to where it was changes the dates that are told, and nothing else: connections, replies on
// their way, what is kept, sessions and time limits go by a clock that does not.
func TestClockJumps(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "access.log")
	h := openHouse(t, "--access-log", log, "--access-log-format", "json", "--idle-exit", "10m")
	c := takeClock(t, h.Process)
	changing := filepath.Join(h.root, "changing.txt")
	clients := newClockClients(h)
	clients.ask(t, "/", page)
	for _, protocol := range clockProtocols { // what has ended leaves memory and descriptors that are kept
		clients.date(t, protocol, 0)
	}
	before := h.state()
	ctx, stop := context.WithCancel(t.Context())
	var visiting sync.WaitGroup
	visiting.Go(func() {
		for ctx.Err() == nil {
			clients.ask(t, "/", page)
		}
	})
	const year = 365 * 24 * time.Hour
	for i, by := range []time.Duration{year, -year, 0} {
		var downloads sync.WaitGroup
		begun := make(chan struct{}, len(clockProtocols))
		jumped := make(chan struct{})
		for _, protocol := range clockProtocols {
			downloads.Go(func() { clients.download(t, protocol, begun, jumped) })
		}
		for range clockProtocols {
			<-begun
		}
		c.jump(t, by)
		close(jumped)
		downloads.Wait()
		for _, protocol := range clockProtocols {
			clients.date(t, protocol, by)
		}
		for j := range 2 {
			text := fmt.Sprintf("change %d.%d\n", i, j)
			if err := os.WriteFile(changing, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			eventually(t, "a changed file is served", func() bool { return h.answerTo("http", "/changing.txt").body == text })
		}
		want := time.Now().Add(by).UTC().Format(`"time":"2006-01-02T15`)
		eventually(t, "the log has the new time", func() bool {
			text, err := os.ReadFile(log)
			return err == nil && strings.Contains(string(text), want)
		})
		h.Signal(syscall.SIGHUP)
		eventually(t, "it is reloaded", func() bool { return h.lines("reloaded; serving") == i+1 })
	}
	stop()
	visiting.Wait()
	h.rests()
	clients.close()
	h.leavesNothing(t, before)
	ended := time.Now()
	h.Signal(syscall.SIGTERM)
	if state := h.Wait(limit); state.ExitCode() != 0 || time.Since(ended) > 5*time.Second {
		t.Errorf("it ended with %s after %s", state, time.Since(ended))
	}
	tell(t, row{"fault", "clock jumps", "CLOCK_REALTIME a year ahead, two back and right again, under requests and downloads", "",
		"all answered, no connection lost; dates and logs follow; changed files are seen; reloads and the end work; no spinning"})
}

var clockProtocols = [...]string{"http", "https", "h2"}

// clockClients keep connections and TLS sessions, one for each protocol.
type clockClients struct {
	h    *house
	kept map[string]*http.Client
}

func newClockClients(h *house) *clockClients {
	c := &clockClients{h, map[string]*http.Client{}}
	for _, protocol := range clockProtocols {
		c.kept[protocol] = c.client(protocol)
	}
	return c
}

// client speaks one protocol, and resumes its sessions.
func (c *clockClients) client(protocol string) *http.Client {
	return &http.Client{Timeout: limit, Transport: &http.Transport{ForceAttemptHTTP2: protocol == "h2", DisableCompression: true,
		TLSClientConfig: &tls.Config{RootCAs: c.h.pool, ClientSessionCache: tls.NewLRUClientSessionCache(1)}}}
}

func (c *clockClients) url(protocol, path string) string {
	if protocol == "http" {
		return "http://" + c.h.http + path
	}
	return "https://" + c.h.https + path
}

// ask asks over all kept connections.
func (c *clockClients) ask(t *testing.T, path, want string) {
	for protocol, client := range c.kept {
		r, err := client.Get(c.url(protocol, path))
		if err != nil {
			t.Error(err)
			continue
		}
		body, err := io.ReadAll(r.Body)
		r.Body.Close()
		if r.StatusCode != 200 || string(body) != want || err != nil {
			t.Errorf("%s: %s, %q, %v", protocol, r.Status, body, err)
		}
	}
}

// date asks on two new connections, the second of which resumes the first one's session, for the time by the server's clock.
func (c *clockClients) date(t *testing.T, protocol string, by time.Duration) {
	t.Helper()
	client := c.client(protocol)
	for range 2 {
		r, err := client.Get(c.url(protocol, "/"))
		if err != nil {
			t.Error(err)
			return
		}
		io.Copy(io.Discard, r.Body)
		r.Body.Close()
		client.CloseIdleConnections()
		told, err := http.ParseTime(r.Header.Get("Date"))
		if off := told.Sub(time.Now().Add(by)); err != nil || off.Abs() > 3*time.Second {
			t.Errorf("%s: Date is %s off: %v", protocol, off, err)
		}
	}
}

// download takes a file of which a part is on its way while the clock jumps.
func (c *clockClients) download(t *testing.T, protocol string, begun chan<- struct{}, jumped <-chan struct{}) {
	client := c.client(protocol)
	defer client.CloseIdleConnections()
	r, err := client.Get(c.url(protocol, "/large.bin"))
	begun <- struct{}{}
	if err != nil {
		t.Error(err)
		return
	}
	defer r.Body.Close()
	<-jumped
	if n, err := io.Copy(io.Discard, r.Body); n != largeSize || err != nil {
		t.Errorf("%s: %d bytes of a file, %v", protocol, n, err)
	}
}

func (c *clockClients) close() {
	for _, client := range c.kept {
		client.CloseIdleConnections()
	}
}
