package faults

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/tests/program"
)

// A manager's socket that is not there, that nobody reads any more, or whose queue is full: requests are answered all the time, and reloads
// and the end are only held up for as long as a manager is waited for.
func TestNotifySocketGone(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"missing", "closed", "full"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(program.ShortDir(t), "notify")
			if what != "missing" {
				reader, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
				if err != nil {
					t.Fatal(err)
				}
				defer reader.Close()
				if what == "closed" {
					reader.Close()
				} else {
					fillQueue(t, path)
				}
			}
			h := openHouseAs(t, program.Run{Env: []string{"NOTIFY_SOCKET=" + path, "WATCHDOG_USEC=400000"}})
			h.ask()
			before := h.state()
			if what != "full" || isLong() { // two notices, of which each is waited for
				h.Signal(syscall.SIGHUP)
				eventually(t, "it is reloaded", func() bool { h.ask(); return h.lines("reloaded; serving") == 1 })
			}
			for begun := time.Now(); time.Since(begun) < 1500*time.Millisecond; { // beats for the watchdog meanwhile
				if took := h.ask(); took > time.Second {
					t.Errorf("a request took %s", took)
				}
			}
			if now := h.state(); now.goroutines > before.goroutines+15 || now.descriptors > before.descriptors+15 {
				t.Errorf("it has %+v, and had %+v", now, before)
			}
			h.rests()
			begun := time.Now()
			h.Signal(syscall.SIGTERM)
			if state := h.Wait(limit); state.ExitCode() != 0 {
				t.Errorf("it ended with %s", state)
			}
			took := time.Since(begun)
			if most := 8 * time.Second; took > most {
				t.Errorf("the end took %s", took)
			}
			tell(t, row{"fault", "notify socket " + what, "start, reload, beats for the watchdog, SIGTERM", "",
				fmt.Sprintf("requests answered all the time; exit 0 after %s", took.Round(10*time.Millisecond))})
		})
	}
}

// fillQueue sends to a datagram socket until it takes no more.
func fillQueue(t *testing.T, path string) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	for err == nil {
		err = unix.Sendto(fd, []byte("STATUS=unread"), 0, &unix.SockaddrUnix{Name: path})
	}
	if err != unix.EAGAIN {
		t.Fatal(err)
	}
}

// openHouseAs is openHouse in other circumstances.
func openHouseAs(t *testing.T, run program.Run, options ...string) *house {
	t.Helper()
	s := newSite(t)
	v := &victim{t: t, name: "rouse", root: s.root, pool: s.pool}
	run.Files, run.Listen, run.Names = make([]*os.File, 3), true, []string{"https", "http", "admin"}
	run.Files[0], v.https = program.Listener(t)
	run.Files[1], v.http = program.Listener(t)
	run.Files[2], v.admin = program.Listener(t)
	run.Args = append([]string{"serve", "--root", s.root, "--tls-cert", s.cert, "--tls-key", s.key, "--log-level", "warn", "--log-format", "logfmt"}, options...)
	v.process = program.Start(t, run)
	v.pids = func() []int { return []int{v.process.Pid} }
	return &house{v, v.process}
}

// A journal that goes away takes nobody with it: standard error is a stream to it, as systemd has it, whose other end is closed.
func TestJournalGone(t *testing.T) {
	t.Parallel()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "journal"), os.NewFile(uintptr(pair[1]), "stream")
	defer ours.Close()
	defer theirs.Close()
	info, err := theirs.Stat()
	if err != nil {
		t.Fatal(err)
	}
	stat := info.Sys().(*syscall.Stat_t)
	h := openHouseAs(t, program.Run{Stderr: theirs, Env: []string{fmt.Sprintf("JOURNAL_STREAM=%d:%d", stat.Dev, stat.Ino)}}, "--log-level", "info", "--lane", "off")
	h.ask()
	told := make([]byte, 64<<10)
	if n, err := ours.Read(told); err != nil || !strings.HasPrefix(string(told[:n]), "<") {
		t.Errorf("the journal got %q, %v", told[:n], err)
	}
	before := h.state()
	ours.Close()
	for range 500 {
		h.ask()
	}
	h.rests()
	h.Signal(syscall.SIGHUP)
	h.ask()
	h.leavesNothing(t, before)
	h.Signal(syscall.SIGTERM)
	if state := h.Wait(limit); state.ExitCode() != 0 {
		t.Errorf("it ended with %s", state)
	}
	tell(t, row{"fault", "journal gone", "the other end of standard error is closed, 500 requests with a line each, a reload", "", "all answered; no SIGPIPE, no spinning; exit 0"})
}

// memoryGroup makes a control group, and returns its folder and the names of its files for the limit, what is used, and what was killed.
func memoryGroup(t *testing.T) (folder, most, used, events string) {
	t.Helper()
	for _, version := range []struct{ under, most, used, events string }{
		{"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "memory.oom_control"},
		{"/sys/fs/cgroup", "memory.max", "memory.current", "memory.events"},
	} {
		folder, err := os.MkdirTemp(version.under, "rouse-test-")
		if err != nil {
			continue
		}
		t.Cleanup(func() { eventually(t, "the control group is empty", func() bool { return os.Remove(folder) == nil }) })
		if _, err := os.Stat(filepath.Join(folder, version.most)); err == nil {
			return folder, filepath.Join(folder, version.most), filepath.Join(folder, version.used), filepath.Join(folder, version.events)
		}
	}
	return "", "", "", ""
}

// Killed by the kernel for want of memory under load: who waits in the queue of the socket is answered by the next process on it.
func TestKilledForWantOfMemory(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	log := filepath.Join(t.TempDir(), "access.log")
	folder, most, used, events := memoryGroup(t)
	run := program.Run{Listen: true, Names: []string{"https", "http"}, Files: make([]*os.File, 2),
		Args: []string{"serve", "--root", s.root, "--tls-cert", s.cert, "--tls-key", s.key, "--log-level", "warn", "--access-log", log, "--access-log-format", "json"}}
	v := &victim{t: t, pool: s.pool}
	run.Files[0], v.https = program.Listener(t)
	run.Files[1], v.http = program.Listener(t)
	again := run
	if folder != "" {
		run.Through = []string{"sh", "-c", `echo $$ > "$0/cgroup.procs" && exec "$@"`, folder}
	}
	p := program.Start(t, run)
	v.pids = func() []int { return []int{p.Pid} }
	h := &house{v, p}
	p.Stderr.WaitFor("at http", limit)
	h.ask()
	how := "SIGKILL under load (no control group for memory can be made here)"
	if folder == "" {
		h.Signal(syscall.SIGKILL)
	} else {
		how = "a control group with 1 MiB more than it has, and clients who keep connections"
		exhaust(t, h, most, used)
	}
	state := h.Wait(limit).Sys().(syscall.WaitStatus)
	if !state.Signaled() || state.Signal() != syscall.SIGKILL {
		t.Errorf("it ended with %v", state)
	}
	if folder != "" {
		if text, _ := os.ReadFile(events); !strings.Contains(string(text), "oom_kill 1\n") {
			t.Errorf("the kernel has killed nobody: %s", text)
		}
	}
	var waiting []net.Conn
	for range 20 {
		c := h.dial()
		fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		waiting = append(waiting, c)
	}
	program.Start(t, again)
	for _, c := range waiting {
		if got, err := io.ReadAll(c); err != nil || !strings.HasSuffix(string(got), page) {
			t.Errorf("who waited got %q, %v", got, err)
		}
	}
	wholeLines(t, log)
	tell(t, row{"fault", "out of memory", how, "", "SIGKILL by the kernel; 20 clients who came then are answered by the next process on the sockets"})
}

// An address space that is used up ends the program as Go has it: one line says that memory is lacking, and the status is 2.
func TestOutOfAddressSpace(t *testing.T) {
	t.Parallel()
	h := openHouse(t)
	h.ask()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", h.Pid))
	if err != nil {
		t.Fatal(err)
	}
	var pages uint64
	fmt.Sscan(string(status), &pages)
	room := pages*uint64(os.Getpagesize()) + 1<<20
	if err := unix.Prlimit(h.Pid, unix.RLIMIT_AS, &unix.Rlimit{Cur: room, Max: room}, nil); err != nil {
		t.Fatal(err)
	}
	assail(t, h)
	if state := h.Wait(limit); state.ExitCode() != 2 || !strings.Contains(h.Stderr.String(), "fatal error: ") {
		t.Errorf("it ended with %s", state)
	}
	said := ""
	for line := range strings.Lines(h.Stderr.String()) {
		if strings.HasPrefix(line, "fatal error: ") {
			said = strings.TrimSpace(line)
			break
		}
	}
	tell(t, row{"fault", "out of address space", "RLIMIT_AS 1 MiB above what it has, and clients who keep connections", "", "exit 2 after " + said})
}

// exhaust gives a process hardly more memory than it has, and opens connections until it is killed. The process is in a control group.
func exhaust(t *testing.T, h *house, most, used string) {
	t.Helper()
	text, err := os.ReadFile(used)
	if err != nil {
		t.Fatal(err)
	}
	var bytes int64
	fmt.Sscan(string(text), &bytes)
	if err := os.WriteFile(most, fmt.Append(nil, bytes+1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	assail(t, h)
}

// assail opens connections that cost memory until the process has ended.
func assail(t *testing.T, h *house) {
	t.Helper()
	for end := time.Now().Add(limit); time.Now().Before(end); {
		select {
		case <-h.Ended():
			return
		default:
		}
		c, err := net.DialTimeout("tcp", h.http, time.Second)
		if err != nil {
			continue // the queue is full, since nobody accepts any more
		}
		defer c.Close()
		fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\nCookie: %s\r\n", strings.Repeat("x", 6000)) // never ended
	}
	t.Fatalf("it does not want for memory within %s", limit)
}
