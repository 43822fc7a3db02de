package wake

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/platform"
	"github.com/rouse-server/rouse/platform/seccomp"
)

// TestSwapProgram is the program that the engine starts, when it runs in a process of its own. It binds in the way that its
// name says, and answers every client.
func TestSwapProgram(t *testing.T) {
	name := os.Getenv("WAKE_TEST_PROGRAM")
	if name == "" {
		return // runs in a process that other tests start
	}
	time.AfterFunc(2*patient, func() { unix.Exit(99) })
	at, _ := netip.ParseAddrPort(os.Getenv("WAKE_TEST_ADDRESS"))
	p := program{port: at.Port()}
	way, ok := p.ways()[name]
	if !ok {
		way, ok = p.connectionWays()[name]
	}
	if !ok {
		unix.Exit(97)
	}
	way()
	unix.Exit(0)
}

// program makes plain system calls, as C programs do.
type program struct{ port uint16 }

func (p program) ways() map[string]func() {
	wildcard6 := &unix.SockaddrInet6{Port: int(p.port)}
	mapped := &unix.SockaddrInet6{Addr: netip.MustParseAddr("::ffff:127.0.0.1").As16(), Port: int(p.port)}
	return map[string]func(){
		"plain":      func() { serve(listenOn(unix.AF_INET, v4(p.port))) },
		"other port": func() { serve(listenOn(unix.AF_INET, v4(4711))) },
		"v6":         func() { serve(listenOn(unix.AF_INET6, wildcard6)) },
		"mapped":     func() { serve(listenOn(unix.AF_INET6, mapped)) },
		"unix":       func() { serve(listenOn(unix.AF_UNIX, &unix.SockaddrUnix{Name: "/nonexistent/real.sock"})) },
		"sleep":      func() { select {} },
		"thread":     p.thread,
		"own table":  p.ownTable,
		"twice":      p.twice,
		"probe":      p.probe,
		"dup":        p.dup,
		"epoll":      p.epoll,
		"packets":    p.packets,
		"udp beside": p.packetsBeside,
		"go":         p.goServer,
		"options":    p.options,
		"shutdown":   p.shutdown,
		"own binds":  p.ownBinds,
		"daemon":     p.daemon,
		"name":       p.name,
		"compare":    p.compare,
		"keep":       p.keep,
		"nested":     p.nested,
		"uring":      p.uring,
		"setuid":     p.setuid,
	}
}

// thread binds on a thread that is not the first one.
func (p program) thread() {
	fd := make(chan int)
	platform.OnOwnThread(func() { fd <- listenOn(unix.AF_INET, v4(p.port)) })
	serve(<-fd)
}

// ownTable binds on a thread that has descriptors of its own, of which the first thread knows nothing.
func (p program) ownTable() {
	platform.OnOwnThread(func() {
		must(unix.Unshare(unix.CLONE_FILES))
		fd, err := unix.FcntlInt(uintptr(socketOf(unix.AF_INET, unix.SOCK_STREAM)), unix.F_DUPFD, 200)
		must(err)
		must(unix.Bind(fd, v4(p.port)))
		must(unix.Listen(fd, 64))
		serve(fd)
	})
	select {}
}

// twice binds two sockets to one port, and the second of them again, as a call that a signal interrupted is made again.
func (p program) twice() {
	first := listenOn(unix.AF_INET, v4(p.port))
	second := listenOn(unix.AF_INET, v4(p.port))
	must(unix.Bind(second, v4(p.port)))
	unix.Close(first)
	serve(second)
}

// probe tries the port first.
func (p program) probe() {
	unix.Close(listenOn(unix.AF_INET, v4(p.port)))
	serve(listenOn(unix.AF_INET, v4(p.port)))
}

// dup binds by one descriptor, and serves by another one that was there before; each keeps its close-on-exec.
func (p program) dup() {
	first := socketOf(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC)
	second, err := unix.Dup(first)
	must(err)
	must(unix.Bind(first, v4(p.port)))
	must(unix.Listen(second, 64))
	for fd, want := range map[int]int{first: unix.FD_CLOEXEC, second: 0} {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags != want {
			must(unix.EINVAL)
		}
	}
	unix.Close(first)
	serve(second)
}

// epoll registers before it binds, edge-triggered, and changes the registration after it.
func (p program) epoll() {
	fd := socketOf(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK)
	set, err := unix.EpollCreate1(0)
	must(err)
	must(unix.EpollCtl(set, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: 1, Pad: 2}))
	must(unix.Bind(fd, v4(p.port)))
	must(unix.Listen(fd, 64))
	must(unix.EpollCtl(set, unix.EPOLL_CTL_MOD, fd, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: 3, Pad: 4}))
	for events := make([]unix.EpollEvent, 4); ; {
		n, err := unix.EpollWait(set, events, -1)
		if err == unix.EINTR {
			continue
		}
		must(err)
		if n != 1 || events[0].Fd != 3 || events[0].Pad != 4 {
			must(unix.EINVAL)
		}
		for {
			conn, _, err := unix.Accept(fd)
			if err == unix.EAGAIN {
				break
			}
			must(err)
			reply(conn, "ok")
		}
	}
}

func (p program) packets() {
	fd := socketOf(unix.AF_INET, unix.SOCK_DGRAM)
	must(unix.Bind(fd, v4(p.port)))
	for b := make([]byte, 16); ; {
		_, from, err := unix.Recvfrom(fd, b, 0)
		if err == unix.EINTR {
			continue
		}
		must(err)
		must(unix.Sendto(fd, []byte("ok"), 0, from))
	}
}

func (p program) packetsBeside() {
	must(unix.Bind(socketOf(unix.AF_INET, unix.SOCK_DGRAM), v4(p.port)))
	serve(listenOn(unix.AF_INET, v4(p.port)))
}

// goServer listens as Go does: IPv6, MPTCP, non-blocking, registered with epoll.
func (p program) goServer() {
	l, err := net.Listen("tcp", fmt.Sprintf(":%d", p.port))
	must(err)
	for {
		conn, err := l.Accept()
		must(err)
		io.WriteString(conn, "ok")
		conn.Close()
	}
}

// options tells which of the options that it set before it bound are there.
func (p program) options() {
	fd := socketOf(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK)
	must(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1))
	must(unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1))
	must(unix.Bind(fd, v4(p.port)))
	must(unix.Listen(fd, 64))
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	must(err)
	must(unix.SetNonblock(fd, false))
	for {
		answerOne(fd, func(conn int) string {
			keep, _ := unix.GetsockoptInt(conn, unix.SOL_SOCKET, unix.SO_KEEPALIVE)
			nodelay, _ := unix.GetsockoptInt(conn, unix.IPPROTO_TCP, unix.TCP_NODELAY)
			return fmt.Sprintf("keepalive %d nodelay %d nonblock %v", keep, nodelay, flags&unix.O_NONBLOCK != 0)
		})
	}
}

// shutdown closes the door behind two clients.
func (p program) shutdown() {
	fd := listenOn(unix.AF_INET, v4(p.port))
	answerOne(fd, ok)
	answerOne(fd, ok)
	must(unix.Shutdown(fd, unix.SHUT_RDWR))
}

// ownBinds binds what is not mapped: port 0, an abstract name, and at last a port by its number.
func (p program) ownBinds() {
	listenOn(unix.AF_INET, v4(0))
	must(unix.Bind(socketOf(unix.AF_UNIX, unix.SOCK_DGRAM), &unix.SockaddrUnix{Name: "@wake-test-" + strconv.Itoa(os.Getpid())}))
	fd := listenOn(unix.AF_INET, v4(p.port))
	free := listenOn(unix.AF_INET, v4(0))
	sa, err := unix.Getsockname(free)
	must(err)
	unix.Close(free)
	listenOn(unix.AF_INET, sa)
	serve(fd)
}

// daemon leaves a process in the background that serves.
func (p program) daemon() {
	if os.Getenv("WAKE_TEST_BACKGROUND") != "" {
		serve(listenOn(unix.AF_INET, v4(p.port)))
	}
	executable, err := os.Executable()
	must(err)
	_, err = syscall.ForkExec(executable, os.Args, &syscall.ProcAttr{
		Env: append(os.Environ(), "WAKE_TEST_BACKGROUND=1"), Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	must(err)
}

// name tells what getsockname(2) tells of its listener, and how long that is.
func (p program) name() {
	fd := listenOn(unix.AF_INET, v4(4711))
	for {
		answerOne(fd, func(int) string { return nameOf(fd) })
	}
}

// compare does not listen where getsockname(2) tells another port than it bound.
func (p program) compare() {
	fd := socketOf(unix.AF_INET, unix.SOCK_STREAM)
	must(unix.Bind(fd, v4(4711)))
	if !strings.HasPrefix(nameOf(fd), "127.0.0.1:4711 ") {
		must(unix.EADDRINUSE)
	}
	must(unix.Listen(fd, 64))
	serve(fd)
}

// keep keeps a connection until its client leaves.
func (p program) keep() {
	fd := listenOn(unix.AF_INET, v4(p.port))
	for b := make([]byte, 16); ; {
		conn, _, err := unix.Accept(fd)
		must(err)
		for n := 1; n > 0; {
			n, _ = unix.Read(conn, b)
		}
		unix.Close(conn)
	}
}

// nested asks for a notifier of its own.
func (p program) nested() {
	if _, err := seccomp.Probe(seccomp.Auto); !errors.Is(err, seccomp.ErrTaken) {
		must(unix.EINVAL)
	}
	serve(listenOn(unix.AF_INET, v4(p.port)))
}

func (p program) uring() {
	if _, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 1, 0, 0); errno != unix.ENOSYS {
		must(unix.EINVAL)
	}
	serve(listenOn(unix.AF_INET, v4(p.port)))
}

func (p program) setuid() {
	must(unix.Setuid(65534))
	serve(listenOn(unix.AF_INET, v4(p.port)))
}

// must ends the program with the error's number.
func must(err error) {
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "program:", err)
	var number unix.Errno
	if errors.As(err, &number) {
		unix.Exit(int(number))
	}
	unix.Exit(98)
}

func v4(port uint16) unix.Sockaddr {
	return &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: int(port)}
}

func socketOf(domain, kind int) int {
	fd, err := unix.Socket(domain, kind, 0)
	must(err)
	return fd
}

func listenOn(domain int, sa unix.Sockaddr) int {
	fd := socketOf(domain, unix.SOCK_STREAM)
	must(unix.Bind(fd, sa))
	must(unix.Listen(fd, 64))
	return fd
}

func ok(int) string { return "ok" }

func serve(fd int) {
	for {
		answerOne(fd, ok)
	}
}

func answerOne(fd int, answer func(conn int) string) {
	for {
		conn, _, err := unix.Accept(fd)
		if err == unix.EINTR {
			continue
		}
		must(err)
		reply(conn, answer(conn))
		return
	}
}

// reply reads the request before it closes: what is unread would reset the connection.
func reply(conn int, text string) {
	unix.SetNonblock(conn, false)
	_, err := unix.Read(conn, make([]byte, 16))
	must(err)
	_, err = unix.Write(conn, []byte(text))
	must(err)
	must(unix.Close(conn))
}

func nameOf(fd int) string {
	var raw unix.RawSockaddrInet4
	length := uint32(unix.SizeofSockaddrAny)
	_, _, errno := unix.Syscall(unix.SYS_GETSOCKNAME, uintptr(fd), uintptr(unsafe.Pointer(&raw)), uintptr(unsafe.Pointer(&length)))
	if errno != 0 {
		must(errno)
	}
	return fmt.Sprintf("%s:%d %d", net.IP(raw.Addr[:]), raw.Port>>8|raw.Port<<8, length)
}
