package inetd

import (
	"net"
	"os"
	"os/signal"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A process has three descriptors, whatever this one was given and forgot.
func TestNothingElseIsOpen(t *testing.T) {
	leaked, err := unix.Open("/dev/null", unix.O_RDONLY, 0) // as inherited: not closed on exec
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(leaked)
	for _, where := range []Stderr{Log, Client, Null} {
		h := hold(t, "tcp:127.0.0.1:0")
		service := shell(`i=0; while [ $i -lt 300 ]; do [ -e /proc/self/fd/$i ] && echo $i $(readlink /proc/$$/fd/$i); i=$((i+1)); done`)
		service.Stderr = where
		start(t, service, Options{}, h)
		idle := dial(t, h) // others are there meanwhile
		got := answer(t, dial(t, h))
		answer(t, idle)
		if want := regexp.MustCompile(`^0 (socket:\[\d+\])\n1 (socket:\[\d+\])\n2 (\S+)\n$`).FindStringSubmatch(got); want == nil || want[1] != want[2] {
			t.Errorf("%s: %s", where, got)
		}
	}
}

// Signals are at their default, and none is blocked, also where this process was told to ignore some.
func TestSignals(t *testing.T) {
	signal.Ignore(syscall.SIGCHLD, syscall.SIGHUP, syscall.SIGPIPE)
	defer signal.Reset()
	h := hold(t, "tcp:127.0.0.1:0")
	start(t, Service{Command: []string{"cat", "/proc/self/status"}, Path: "/bin/cat"}, Options{}, h)
	got := answer(t, dial(t, h))
	for _, field := range []string{"SigBlk", "SigIgn", "SigCgt"} {
		if !regexp.MustCompile(field + `:\s0000000000000000\n`).MatchString(got) {
			t.Errorf("%s is not empty:\n%s", field, got)
		}
	}
}

// Where this process was started with signals blocked, the mask is cleared at the process's exec.
func TestMaskIsCleared(t *testing.T) {
	h, err := openHouse(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	h.masked = true
	s := &service{house: h, path: "/bin/sleep", Service: Service{Command: []string{"sleep", "600"}}}
	c := &child{pidfd: -1}
	blocked := make(chan error)
	go func() {
		blocked <- s.fork(c, &syscall.ProcAttr{Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{Setsid: true}})
	}()
	if err := <-blocked; err != nil {
		t.Fatal(err)
	}
	defer unix.Close(c.pidfd)
	defer c.reap(0)
	defer c.signal(unix.SIGKILL)
	text, err := os.ReadFile("/proc/" + strconv.Itoa(c.pid) + "/status")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "SigBlk:\t0000000000000000\n") || !strings.Contains(string(text), "TracerPid:\t0\n") {
		t.Errorf("status:\n%s", text)
	}
}

func TestLimits(t *testing.T) {
	h := hold(t, "tcp:127.0.0.1:0")
	service := shell(`ulimit -Sn; ulimit -Hn; ulimit -Sc; ulimit -Hv`)
	for _, text := range []string{"nofile=64:128", "core=0", "as=1G"} {
		l, err := ParseLimit(text)
		if err != nil {
			t.Fatal(err)
		}
		service.Limits = append(service.Limits, l)
	}
	start(t, service, Options{}, h)
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			if got := answer(t, dial(t, h)); got != "64\n128\n0\n1048576\n" {
				t.Errorf("got %q", got)
			}
		})
	}
	clients.Wait()
}

func TestUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root starts processes as another user")
	}
	h := hold(t, "tcp:127.0.0.1:0")
	service := shell(`id -u; id -g; id -G; echo $HOME $USER $LOGNAME; ulimit -n`)
	user, group := uint32(65534), uint32(65533)
	service.User, service.Group, service.Groups = &user, &group, []uint32{65532}
	service.Limits = []Limit{{"nofile", 50, 60}}
	start(t, service, Options{}, h)
	if got := answer(t, dial(t, h)); got != "65534\n65533\n65533 65532\n/nonexistent nobody nobody\n50\n" {
		t.Errorf("got %q", got)
	}
}

// What a thousand clients leave behind is nothing: no descriptor, no process, and a listener as it was.
func TestNothingIsLeft(t *testing.T) {
	h := hold(t, "tcp:127.0.0.1:0")
	before := descriptors(t)
	r := start(t, Service{Command: []string{"true"}, Path: "/bin/true", Time: time.Hour, PerClient: 100}, Options{}, h)
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for range 40 {
				answer(t, dial(t, h))
			}
		})
	}
	clients.Wait()
	r.stop()
	r.wait()
	r.log.await(t, "stopped", "served=320")
	if after := descriptors(t); len(after) > len(before) {
		t.Errorf("%d descriptors before, %d after: %v", len(before), len(after), after)
	}
	if flags, _ := unix.FcntlInt(uintptr(h.Number), unix.F_GETFL, 0); flags&unix.O_NONBLOCK != 0 {
		t.Error("the listener is left nonblocking")
	}
	if err := unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil); err != unix.ECHILD {
		t.Errorf("processes are left: %v", err)
	}
}

// descriptors are those of this process, but for the connections of the test, which end by themselves.
func descriptors(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	var open []string
	for _, e := range entries {
		n, _ := strconv.Atoi(e.Name())
		if _, err := unix.Getpeername(n); err != nil {
			target, _ := os.Readlink("/proc/self/fd/" + e.Name())
			open = append(open, e.Name()+" "+target)
		}
	}
	return open
}

// The connection blocks, has no option that accept(2) does not give, and the process leads a session.
func TestConnectionIsAsAcceptGivesIt(t *testing.T) {
	h := hold(t, "tcp:127.0.0.1:0")
	start(t, shell(`cat /proc/self/fdinfo/0; cut -d' ' -f1,5,6 /proc/$$/stat`), Options{}, h)
	c, err := net.Dial("tcp", h.Info.Local)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	got := answer(t, c)
	if !strings.Contains(got, "flags:\t02\n") {
		t.Errorf("the flags of the connection are not O_RDWR alone:\n%s", got)
	}
	if match := regexp.MustCompile(`(?m)^(\d+) (\d+) (\d+)$`).FindStringSubmatch(got); match == nil || match[1] != match[2] || match[1] != match[3] {
		t.Errorf("the process does not lead its group and session:\n%s", got)
	}
}
