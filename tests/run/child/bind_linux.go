package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// listen binds and listens in one of these ways: net, as Go's package does; call, with plain system calls; block, and
// accept(2) waits; thread, from another thread than the first; dup, where another descriptor of the socket is used from
// then on; epoll, registered edge-triggered before; options, set before; uring, by io_uring(7) where the kernel has that.
func listen(how, address string) (net.Listener, error) {
	if how == "net" {
		return net.Listen("tcp", address)
	}
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, err
	}
	flags := unix.SOCK_CLOEXEC | unix.SOCK_NONBLOCK
	if how == "block" {
		flags = unix.SOCK_CLOEXEC
	}
	fd, err := unix.Socket(family(at), unix.SOCK_STREAM|flags, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	l := &raw{fd: fd, block: how == "block"}
	if l.epoll, l.wake, err = newEpoll(); err != nil {
		return nil, err
	}
	return l, l.bind(how, at)
}

func family(at netip.AddrPort) int {
	if at.Addr().Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

func sockaddr(at netip.AddrPort) unix.Sockaddr {
	if at.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16()}
}

// raw is a listener without Go's package net, which sets options of its own.
type raw struct {
	fd, epoll, wake int
	block           bool
}

func (l *raw) bind(how string, at netip.AddrPort) error {
	unix.SetsockoptInt(l.fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	registered := &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: int32(l.fd)}
	bound := l.fd
	switch how {
	case "thread":
		return inThread(func() error { return bindAndListen(l.fd, l.fd, at, registered, l.epoll, false) })
	case "dup":
		copied, err := unix.FcntlInt(uintptr(l.fd), unix.F_DUPFD_CLOEXEC, 50)
		if err != nil {
			return err
		}
		defer unix.Close(bound)
		l.fd = copied
	case "epoll":
		if err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, l.fd, registered); err != nil {
			return os.NewSyscallError("epoll_ctl", err)
		}
	case "options":
		unix.SetsockoptInt(l.fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
		unix.SetsockoptInt(l.fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	case "uring":
		err := bindByRing(l.fd, at)
		if err == nil {
			return unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, l.fd, registered)
		}
		fmt.Println("without io_uring:", err)
	}
	return bindAndListen(bound, l.fd, at, registered, l.epoll, how == "epoll")
}

// bindAndListen binds one descriptor of a socket, listens by another, and registers that, or changes its registration.
func bindAndListen(bound, fd int, at netip.AddrPort, event *unix.EpollEvent, epoll int, registered bool) error {
	if err := unix.Bind(bound, sockaddr(at)); err != nil {
		return fmt.Errorf("bind %v: %w", at, err)
	}
	if err := unix.Listen(fd, 100); err != nil {
		return os.NewSyscallError("listen", err)
	}
	operation := unix.EPOLL_CTL_ADD
	if registered {
		operation = unix.EPOLL_CTL_MOD
	}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(epoll, operation, fd, event))
}

// inThread does it on a thread that is not the process's first.
func inThread(do func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			done <- inThread(do)
			return
		}
		done <- do()
	}()
	return <-done
}

// newEpoll returns an epoll descriptor, and an eventfd(2) that is registered there.
func newEpoll() (epoll, wake int, err error) {
	if epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return 0, 0, os.NewSyscallError("epoll_create1", err)
	}
	if wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return 0, 0, os.NewSyscallError("eventfd", err)
	}
	return epoll, wake, unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, wake, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(wake)})
}

func (l *raw) Accept() (net.Conn, error) {
	for {
		fd, _, err := unix.Accept4(l.fd, unix.SOCK_CLOEXEC)
		switch err {
		case nil:
			return newConn(fd)
		case unix.EAGAIN:
			if !l.wait() {
				return nil, net.ErrClosed
			}
		case unix.EINTR, unix.ECONNABORTED:
		default:
			return nil, os.NewSyscallError("accept4", err)
		}
	}
}

// wait waits for a client; false says that the listener was closed.
func (l *raw) wait() bool {
	events := make([]unix.EpollEvent, 2)
	for {
		n, err := unix.EpollWait(l.epoll, events, -1)
		if err != nil && err != unix.EINTR {
			return false
		}
		for _, event := range events[:max(n, 0)] {
			if event.Fd == int32(l.wake) {
				return false
			}
		}
		if n > 0 {
			return true
		}
	}
}

// Close ends Accept, but for one that waits in accept(2): then the process has to end without it.
func (l *raw) Close() error {
	if l.block {
		os.Exit(0)
	}
	_, err := unix.Write(l.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	return err
}

func (l *raw) Addr() net.Addr {
	name, err := unix.Getsockname(l.fd)
	if err != nil {
		return &net.UnixAddr{Name: err.Error()}
	}
	switch a := name.(type) {
	case *unix.SockaddrInet4:
		return &net.TCPAddr{IP: a.Addr[:], Port: a.Port}
	case *unix.SockaddrInet6:
		return &net.TCPAddr{IP: a.Addr[:], Port: a.Port}
	}
	return &net.UnixAddr{Name: "?"}
}

// options is a connection with what it inherited from its listener by accept(2).
type options struct {
	net.Conn
	keepalive, nodelay int
}

func newConn(fd int) (net.Conn, error) {
	keepalive, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE)
	nodelay, _ := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY)
	file := os.NewFile(uintptr(fd), "client")
	defer file.Close()
	c, err := net.FileConn(file)
	return &options{c, keepalive, nodelay}, err
}

// inherited tells which options a connection has from its listener.
func inherited(c net.Conn) string {
	o, ok := c.(*options)
	if !ok {
		return "unknown"
	}
	return fmt.Sprintf("keepalive=%d nodelay=%d", o.keepalive, o.nodelay)
}

func shutdownListener(l net.Listener) {
	if r, ok := l.(*raw); ok {
		unix.Shutdown(r.fd, unix.SHUT_RDWR)
		return
	}
	c, err := l.(syscall.Conn).SyscallConn()
	if err == nil {
		err = errors.Join(err, c.Control(func(fd uintptr) { unix.Shutdown(int(fd), unix.SHUT_RDWR) }))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "child: shutdown:", err)
	}
}

// detach starts this program again, and again from there; done says that this one is not the last.
func detach() (done bool, err error) {
	const variable = "CHILD_GENERATION"
	generation := os.Getenv(variable)
	if generation == "xx" {
		return false, os.Unsetenv(variable)
	}
	os.Setenv(variable, generation+"x")
	self, err := os.Executable()
	if err != nil {
		return true, err
	}
	_, err = os.StartProcess(self, os.Args, &os.ProcAttr{
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}, Sys: &syscall.SysProcAttr{Setsid: generation == ""},
	})
	return true, err
}
