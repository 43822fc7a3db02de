package platform

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Linux tells more of a socket than other systems, and all of it reaches the user.
func TestDescribeLinux(t *testing.T) {
	dir := shortDir(t)
	abstract := listen(t, "unix", "@rouse-test-describe")
	_, fromAbstract := connect(t, abstract)
	var multipath net.ListenConfig
	multipath.SetMultipathTCP(true)
	mptcp, err := multipath.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mptcp.Close()
	sequence, err := net.ListenUnix("unixpacket", &net.UnixAddr{Net: "unixpacket", Name: filepath.Join(dir, "q")})
	if err != nil {
		t.Fatal(err)
	}
	defer sequence.Close()
	bound := open(t, unix.AF_INET, unix.SOCK_STREAM)
	if err := unix.Bind(bound, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		fd   int
		want Socket // without Local where it is not known before
	}{
		"abstract listener":   {number(t, abstract.(syscall.Conn)), Socket{Unix, Stream, "unix", Listening, "@rouse-test-describe", ""}},
		"abstract connection": {number(t, fromAbstract.(syscall.Conn)), Socket{Unix, Stream, "unix", Connected, "@rouse-test-describe", ""}},
		"seqpacket":           {number(t, sequence), Socket{Unix, Seqpacket, "unix", Listening, filepath.Join(dir, "q"), ""}},
		"bound, no listener":  {bound, Socket{IPv4, Stream, "tcp", Bound, "", ""}},
		"unbound tcp":         {open(t, unix.AF_INET, unix.SOCK_STREAM), Socket{IPv4, Stream, "tcp", Unbound, "0.0.0.0:0", ""}},
		"unbound unix":        {open(t, unix.AF_UNIX, unix.SOCK_STREAM), Socket{Unix, Stream, "unix", Unbound, "", ""}},
	} {
		got, err := Describe(c.fd)
		if c.want.State == Bound {
			got.Local = ""
		}
		if err != nil || got != c.want {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, c.want)
		}
	}
	if s, err := Describe(number(t, mptcp.(syscall.Conn))); err != nil || s.State != Listening || s.Protocol != "mptcp" && s.Protocol != "tcp" {
		t.Errorf("multipath TCP: %+v, %v", s, err)
	}
	if s, err := Describe(open(t, unix.AF_NETLINK, unix.SOCK_RAW)); err != nil || s.Family != Family(fmt.Sprintf("family %d", unix.AF_NETLINK)) || s.Type != "raw" {
		t.Errorf("netlink: %+v, %v", s, err)
	}
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(epoll)
	if _, err := Describe(epoll); err == nil || !strings.Contains(err.Error(), "eventpoll") {
		t.Errorf("epoll: %v", err)
	}
}

// The user of a port that is taken reads the name and number of the program that holds it.
func TestPortHolder(t *testing.T) {
	name, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Skip(err)
	}
	want := fmt.Sprintf("%s (pid %d)", strings.TrimSpace(string(name)), os.Getpid())
	for network, address := range map[string]string{"tcp4": "127.0.0.1:0", "tcp6": "[::1]:0"} {
		l, err := net.Listen(network, address)
		if err != nil {
			t.Logf("%s: %v", network, err)
			continue
		}
		port := l.Addr().(*net.TCPAddr).Port
		if got := PortHolder(port); got != want {
			t.Errorf("%s port %d is held by %q, want %q", network, port, got, want)
		}
		l.Close()
		if got := PortHolder(port); got != "" {
			t.Errorf("a free port is held by %q", got)
		}
	}
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	if got := PortHolder(udp.LocalAddr().(*net.UDPAddr).Port); got == want {
		t.Errorf("a UDP port is held by %q", got)
	}
}

func printPidfdID() {
	id, ok := PidfdID()
	tell("%d %t", id, ok)
}

// execOnce prints the id and becomes, by exec, a process that prints it again.
func execOnce() {
	printPidfdID()
	unix.FcntlInt(3, unix.F_SETFD, 0)
	err := unix.Exec("/proc/self/exe", []string{"again"}, []string{asChild + "=pidfd id"})
	tell("%v", err)
}

// systemd names the process that its sockets are for by a number that exec keeps and that no other process has: a wrapper
// script that execs Rouse loses no socket, and a child does not take its parent's.
func TestPidfdID(t *testing.T) {
	id, ok := PidfdID()
	if !ok {
		t.Skip("this kernel has no pidfs (Linux 6.9)")
	}
	if again, _ := PidfdID(); again != id || id == 0 {
		t.Errorf("asked twice it is %d and %d", id, again)
	}
	lines := strings.Fields(child(t, "exec", nil))
	if len(lines) != 4 || lines[0] != lines[2] || lines[1] != "true" || lines[3] != "true" {
		t.Errorf("before and after exec: %q", lines)
	}
	if lines[0] == fmt.Sprint(id) {
		t.Error("a child has its parent's id")
	}
}
