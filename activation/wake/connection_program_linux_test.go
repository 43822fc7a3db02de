package wake

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ways of programs that are tested in connection mode.
func (p program) connectionWays() map[string]func() {
	return map[string]func(){
		"peer":        func() { p.peer(listenOn(unix.AF_INET, v4(p.port))) },
		"peer v6":     func() { p.peer(listenOn(unix.AF_INET6, &unix.SockaddrInet6{Port: int(p.port)})) },
		"prefork":     p.prefork,
		"both":        p.both,
		"interrupted": p.interrupted,
		"poll":        p.poll,
		"late":        p.late,
		"few files":   p.fewFiles,
	}
}

// rawAccept is accept4(2), whose address it returns as it was written.
func rawAccept(fd, flags int) (conn int, address []byte, err error) {
	b := make([]byte, 128)
	length := uint32(len(b))
	r, _, errno := unix.Syscall6(unix.SYS_ACCEPT4, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(unsafe.Pointer(&length)), uintptr(flags), 0, 0)
	if errno != 0 {
		return -1, nil, errno
	}
	return int(r), b[:length], nil
}

// peer tells of its listener and of the connection what system calls do.
func (p program) peer(fd int) {
	number := func(option int) int {
		n, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, option)
		must(err)
		return n
	}
	must(unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)) // after bind
	must(unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, 1))
	for {
		conn, address, err := rawAccept(fd, unix.SOCK_CLOEXEC)
		must(err)
		flags, _ := unix.FcntlInt(uintptr(conn), unix.F_GETFD, 0)
		nodelay, _ := unix.GetsockoptInt(conn, unix.IPPROTO_TCP, unix.TCP_NODELAY)
		domain, _ := unix.GetsockoptInt(conn, unix.SOL_SOCKET, unix.SO_DOMAIN)
		reply(conn, fmt.Sprintf("listens %d domain %d type %d protocol %d name %s | from %d %d of %d, domain %d, closes %v, nodelay %d",
			number(unix.SO_ACCEPTCONN), number(unix.SO_DOMAIN), number(unix.SO_TYPE), number(unix.SO_PROTOCOL), nameOf(fd)[:9],
			binary.NativeEndian.Uint16(address), binary.BigEndian.Uint16(address[2:]), len(address), domain, flags&unix.FD_CLOEXEC != 0, nodelay))
	}
}

// prefork has four processes that accept from one listener, two of them blocking.
func (p program) prefork() {
	if way := os.Getenv("WAKE_TEST_WORKER"); way != "" {
		if way == "1" {
			pollLoop(3)
		}
		serve(3)
	}
	fd := listenOn(unix.AF_INET, v4(p.port))
	executable, err := os.Executable()
	must(err)
	for _, way := range []string{"0", "0"} {
		_, err = syscall.ForkExec(executable, os.Args, &syscall.ProcAttr{
			Env: append(os.Environ(), "WAKE_TEST_WORKER="+way), Files: []uintptr{0, 1, 2, uintptr(fd)}, Sys: &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL},
		})
		must(err)
	}
	serve(fd)
}

// both binds IPv4, and IPv6 alone, and waits for clients of both in one place.
func (p program) both() {
	six := socketOf(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_NONBLOCK)
	must(unix.SetsockoptInt(six, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1))
	must(unix.Bind(six, &unix.SockaddrInet6{Port: int(p.port)}))
	must(unix.Listen(six, 64))
	four := socketOf(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK)
	must(unix.Bind(four, &unix.SockaddrInet4{Port: int(p.port)}))
	must(unix.Listen(four, 64))
	names := map[int]string{six: "six", four: "four"}
	for {
		polled := []unix.PollFd{{Fd: int32(six), Events: unix.POLLIN}, {Fd: int32(four), Events: unix.POLLIN}}
		unix.Poll(polled, -1)
		for _, fd := range []int{six, four} {
			conn, address, err := rawAccept(fd, 0)
			if err == unix.EAGAIN {
				continue
			}
			must(err)
			reply(conn, fmt.Sprint(names[fd], " ", binary.NativeEndian.Uint16(address)))
		}
	}
}

// interrupted is torn out of its accepts by signals.
func (p program) interrupted() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGUSR1)
	serve(listenOn(unix.AF_INET, v4(p.port)))
}

// poll waits for clients as event loops do.
func (p program) poll() {
	fd := socketOf(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK)
	must(unix.Bind(fd, v4(p.port)))
	must(unix.Listen(fd, 64))
	pollLoop(fd)
}

func pollLoop(fd int) {
	for {
		polled := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if _, err := unix.Poll(polled, -1); err == unix.EINTR {
			continue
		}
		conn, _, err := unix.Accept(fd)
		if err == unix.EAGAIN {
			continue
		}
		must(err)
		reply(conn, "ok")
	}
}

// late accepts one client, answers it, and no other before it is told to.
func (p program) late() {
	fd := listenOn(unix.AF_INET, v4(p.port))
	answerOne(fd, ok)
	select {}
}

// fewFiles accepts until it has as many open files as it may, and then lets them all go.
func (p program) fewFiles() {
	fd := listenOn(unix.AF_INET, v4(p.port))
	var open []int
	top, err := unix.Dup(fd)
	must(err)
	unix.Close(top)
	must(syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: uint64(top + 2), Max: uint64(top + 2)}))
	for {
		conn, _, err := unix.Accept(fd)
		if err == unix.EMFILE {
			for _, conn := range open {
				reply(conn, "ok")
			}
			open = nil
			continue
		}
		must(err)
		open = append(open, conn)
	}
}
