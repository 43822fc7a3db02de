package systemd

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// amongClients does something to what is around the shipped service, among clients of whom none may lose anything, and checks that the
// process has stayed the same one.
func amongClients(t *testing.T, happen func(more func())) {
	t.Helper()
	shipped(t, quick)
	curl(t, httpsURL)
	pid := mainPID(t)
	l := secureCrowd(t)
	defer l.End()
	more := func() { l.Await(t, 100, patience) }
	more()
	happen(more)
	answered, lost := l.End()
	if len(lost) > 0 {
		t.Errorf("%d of %d requests were lost; the first: %v", len(lost), answered, lost[0])
	}
	if now := mainPID(t); now != pid {
		t.Errorf("the process was %d, and is %d", pid, now)
	}
	t.Logf("%d requests answered", answered)
}

// Without this a journal that is killed, or stopped, would take down the sites that log to it.
func TestJournalGoesAway(t *testing.T) {
	needsSystemd(t)
	const journald = "systemd-journald.service"
	sockets := []string{"systemd-journald.socket", "systemd-journald-dev-log.socket"}
	amongClients(t, func(more func()) {
		old, _ := processesOf(t, journald)
		kill(t, old, syscall.SIGKILL)
		waitNext(t, journald, old)
		more()
		t.Cleanup(func() { run(t, "systemctl", append([]string{"start", journald}, sockets...)...) })
		run(t, "systemctl", append([]string{"stop", journald}, sockets...)...)
		more()
		run(t, "systemctl", append([]string{"start", journald}, sockets...)...)
		more()
	})
}

// Without this a reload would end a server whose manager does not listen for a while.
func TestNotifySocketGoesAway(t *testing.T) {
	needsSystemd(t)
	const path, away = "/run/systemd/notify", "/run/systemd/notify.away"
	amongClients(t, func(more func()) {
		t.Cleanup(func() { os.Rename(away, path) })
		if err := os.Rename(path, away); err != nil {
			t.Fatal(err)
		}
		kill(t, mainPID(t), syscall.SIGHUP)
		more()
		if err := os.Rename(away, path); err != nil {
			t.Fatal(err)
		}
		run(t, "systemctl", "reload", "rouse.service")
		waitState(t, "rouse.service", "active")
		more()
	})
}

// Without this a site for which memory is short would be gone until somebody looks: the kernel kills the process, systemd starts another
// one, and nobody is refused meanwhile.
func TestOutOfMemory(t *testing.T) {
	since := time.Now()
	shipped(t, quick)
	curl(t, httpsURL)
	pid := mainPID(t)
	l := secureCrowd(t)
	defer l.End()
	l.Await(t, 100, patience)
	outOfMemory(t, pid)
	useUpMemory(t, pid)
	waitNext(t, "rouse.service", pid)
	l.Await(t, 200, patience)
	answered, lost := l.End()
	if said := journal(t, "rouse.service", since); !strings.Contains(said, "code=killed, status=9/KILL") {
		t.Error("it was not the kernel that ended it")
	}
	if len(lost) > crowded {
		t.Errorf("%d of %d requests were lost, of %d clients; the first: %v", len(lost), answered, crowded, lost[0])
	}
	for _, one := range lost {
		if errors.Is(one, syscall.ECONNREFUSED) || one.Client == "" {
			t.Errorf("a client was refused: %v", one)
		}
	}
	t.Logf("%d requests answered, %d lost of %d clients", answered, len(lost), crowded)
}

// outOfMemory leaves a process so little that the kernel kills it (memory.max of cgroups(7); of version 1 memory.limit_in_bytes, in a
// group that is the test's own).
func outOfMemory(t *testing.T, pid int) {
	t.Helper()
	controllers, err := os.ReadFile("/sys/fs/cgroup/cgroup.controllers")
	if err != nil {
		t.Fatal(err)
	}
	const most = "65536"
	if strings.Contains(string(controllers), "memory") {
		limit := "/sys/fs/cgroup" + property(t, "rouse.service", "ControlGroup") + "/memory.max"
		if err := os.WriteFile(limit, []byte(most), 0); err != nil {
			t.Fatal(err)
		}
		return
	}
	mounted := t.TempDir()
	if err := unix.Mount("cgroup", mounted, "cgroup", 0, "memory"); err != nil {
		t.Fatalf("mount the memory controller: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(mounted, unix.MNT_DETACH) })
	own := filepath.Join(mounted, "rouse-test-"+strconv.Itoa(pid)+"-"+strconv.FormatInt(time.Now().UnixNano(), 36))
	if err := os.Mkdir(own, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		waitFor(t, "the test's own group is empty", func() bool { return os.Remove(own) == nil })
	})
	// The limit first: one below what is used already is refused.
	for _, file := range []struct{ name, value string }{{"memory.limit_in_bytes", most}, {"cgroup.procs", strconv.Itoa(pid)}} {
		if err := os.WriteFile(filepath.Join(own, file.name), []byte(file.value), 0); err != nil {
			t.Fatal(err)
		}
	}
}

// crowded is how many clients secureCrowd starts.
const crowded = 10

// useUpMemory opens connections that cost memory until the process is gone: what it had before it was limited counts elsewhere.
func useUpMemory(t *testing.T, pid int) {
	t.Helper()
	for end := time.Now().Add(patience); syscall.Kill(pid, 0) == nil; {
		if time.Now().After(end) {
			t.Fatal("it does not want for memory")
		}
		c, err := net.DialTimeout("tcp", "127.0.0.1:8443", patience)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		io.WriteString(c, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03") // half a ClientHello
	}
}
