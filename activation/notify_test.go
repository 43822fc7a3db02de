package activation

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// manager is the socket on which systemd would listen for this process's notices.
func manager(t *testing.T) *net.UnixConn {
	t.Helper()
	path := filepath.Join(shortDir(t), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	l.SetReadDeadline(time.Now().Add(patience))
	t.Setenv("NOTIFY_SOCKET", path)
	return l
}

// systemd learns when the service is ready, reloads, stops and lives: every notice in one datagram, as sd_notify(3) says.
func TestNotices(t *testing.T) {
	l := manager(t)
	m := Manager{}
	for _, c := range []struct {
		say  func()
		want string // regular expression
	}{
		{func() { m.Ready("serving ./public") }, `^READY=1\nSTATUS=serving \./public$`},
		{func() { m.Ready("two\nlines\nREADY=0") }, `^READY=1\nSTATUS=two lines READY=0$`},
		{m.Reloading, `^RELOADING=1\nMONOTONIC_USEC=\d+$`},
		{func() { m.Stopping("idle for 5m") }, `^STOPPING=1\nSTATUS=idle for 5m$`},
		{func() { m.Failed("root ./public: no such folder") }, `^STATUS=root ./public: no such folder$`},
		{m.Alive, `^WATCHDOG=1$`},
	} {
		c.say()
		message := make([]byte, 4096)
		n, err := l.Read(message)
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(c.want).Match(message[:n]) {
			t.Errorf("the manager got %q, want %s", message[:n], c.want)
		}
	}
}

// Without a manager, or with one that does not listen, nothing happens: notices must never stop the service.
func TestNoticesToNobody(t *testing.T) {
	for _, where := range []string{"", filepath.Join(shortDir(t), "nobody"), "vsock:2:1234", "/proc/version"} {
		t.Setenv("NOTIFY_SOCKET", where)
		Manager{}.Ready("x")
		Manager{}.Alive()
	}
}

// The watchdog is beaten twice as often as the manager asks, and only when it asks this process.
func TestWatchdog(t *testing.T) {
	own := strconv.Itoa(os.Getpid())
	for _, c := range []struct {
		usec, pid string
		want      time.Duration
		wrong     bool
	}{
		{"", "", 0, false},
		{"30000000", "", 15 * time.Second, false},
		{"30000000", own, 15 * time.Second, false},
		{"30000000", "1", 0, false},
		{"soon", own, 0, true},
		{"-1", own, 0, true},
	} {
		t.Setenv("WATCHDOG_USEC", c.usec)
		t.Setenv("WATCHDOG_PID", c.pid)
		if c.usec == "" {
			os.Unsetenv("WATCHDOG_USEC")
		}
		if c.pid == "" {
			os.Unsetenv("WATCHDOG_PID")
		}
		got, err := Manager{}.Watchdog()
		if got != c.want || (err != nil) != c.wrong {
			t.Errorf("WATCHDOG_USEC=%s WATCHDOG_PID=%s: %s, %v", c.usec, c.pid, got, err)
		}
		if c.wrong {
			expectError(t, c.usec, err, "WATCHDOG_USEC="+c.usec)
		}
	}
}

// A manager that reads nothing is waited for, and not for ever: a program that is to end does.
func TestNoticesToFullQueue(t *testing.T) {
	path := manager(t).LocalAddr().String()
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Net: "unixgram", Name: path})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for err == nil { // until there is no room
		c.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		_, err = c.Write([]byte("STATUS=unread"))
	}
	begun := time.Now()
	Manager{}.Stopping("the end")
	if took := time.Since(begun); took < noticePatience || took > 4*noticePatience {
		t.Errorf("it took %s", took)
	}
}
