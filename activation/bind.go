package activation

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/platform"
)

// hostPort returns what net.Listen takes of a tcp or udp address: tcp:8080 is tcp::8080, which is all addresses of the machine.
func (a Address) hostPort() (string, error) {
	text := a.Detail
	if !strings.Contains(text, ":") {
		text = ":" + text
	}
	_, port, err := net.SplitHostPort(text)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return "", fmt.Errorf("address %q: write %[2]s:HOST:PORT, %[2]s:[IPV6]:PORT or %[2]s:PORT, with a port from 0 to 65535", a, a.Source)
	}
	return text, nil
}

// network is tcp or udp, and for an IPv4 address tcp4 or udp4: package net takes 0.0.0.0 for all addresses of IPv6 too. With the
// option ipv6-only it is tcp6 or udp6, of which [::] is all addresses of IPv6 and none of IPv4.
func (a Address) network(hostPort string) string {
	if a.Options.Get("ipv6-only") == "yes" {
		return a.Source + "6"
	}
	if host, _, err := net.SplitHostPort(hostPort); err == nil {
		if address, err := netip.ParseAddr(host); err == nil && address.Is4() {
			return a.Source + "4"
		}
	}
	return a.Source
}

func bindTCP(a Address) ([]Socket, error) {
	hostPort, err := a.hostPort()
	if err != nil {
		return nil, err
	}
	l, err := a.listen(hostPort)
	if err != nil {
		return nil, bindError(a, hostPort, err)
	}
	return []Socket{bound(a, l, platform.Socket{Family: familyOf(l.Addr()), Type: platform.Stream, Protocol: "tcp", State: platform.Listening, Local: l.Addr().String()})}, nil
}

// bindUDP binds a socket that is only held for a program: nothing here reads from it.
func bindUDP(a Address) ([]Socket, error) {
	hostPort, err := a.hostPort()
	if err != nil {
		return nil, err
	}
	c, err := a.listenPacket(hostPort)
	if err != nil {
		return nil, bindError(a, hostPort, err)
	}
	info := platform.Socket{Family: familyOf(c.LocalAddr()), Type: platform.Datagram, Protocol: "udp", State: platform.Bound, Local: c.LocalAddr().String()}
	return []Socket{{Source: a.String(), Number: -1, Kind: Packet, Info: info, packets: c}}, nil
}

func familyOf(a net.Addr) platform.Family {
	if a, err := netip.ParseAddrPort(a.String()); err == nil && a.Addr().Unmap().Is4() {
		return platform.IPv4
	}
	return platform.IPv6
}

func bound(a Address, l net.Listener, info platform.Socket) Socket {
	return Socket{Source: a.String(), Number: -1, Kind: Listener, Info: info, Listener: l}
}

// bindError says who is in the way, and what to do. The cause stays wrapped.
func bindError(a Address, hostPort string, err error) error {
	var cause syscall.Errno
	errors.As(err, &cause)
	_, text, _ := net.SplitHostPort(hostPort)
	port, _ := strconv.Atoi(text)
	switch cause {
	case syscall.EADDRINUSE:
		by := "another program"
		if holder := platform.PortHolder(port); holder != "" && a.Source == "tcp" {
			by = holder
		}
		if strings.HasSuffix(by, fmt.Sprintf("(pid %d)", os.Getpid())) {
			return fmt.Errorf("%s: another address of this process has port %d: leave one of them out: %w", a, port, cause)
		}
		return fmt.Errorf("%s: port %d is taken by %s: stop that, or choose another port: %w", a, port, by, cause)
	case syscall.EACCES:
		return fmt.Errorf("%s: this user may not bind port %d: let systemd, launchd or inetd open it, or choose a port from 1024 on: %w", a, port, cause)
	case syscall.EADDRNOTAVAIL:
		return fmt.Errorf("%s: this machine has no such address: %w", a, cause)
	}
	if operation, ok := errors.AsType[*net.OpError](err); ok {
		err = operation.Err // without the address, which stands there already
	}
	return fmt.Errorf("%s: %w", a, err)
}

// checkPath refuses a path that cannot be bound: sun_path holds 108 bytes on Linux, the last one NUL (unix(7)).
func (a Address) checkPath(path string) error {
	switch most := len(unix.RawSockaddrUnix{}.Path) - 1; {
	case path == "":
		return fmt.Errorf("%s: names no path: write %[1]s:/run/rouse.sock", a.Source)
	case len(path) > most:
		return fmt.Errorf("%s:%s: the path has %d bytes, a unix socket's path at most %d: choose a shorter one", a.Source, path, len(path), most)
	case path[0] == '@' && runtime.GOOS != "linux":
		return fmt.Errorf("%s:%s: abstract names exist on Linux only: write a path (./%s for a file of that name)", a.Source, path, path)
	case strings.ContainsRune(path, 0):
		return fmt.Errorf("%s:%q: the path holds a NUL byte", a.Source, path)
	}
	return nil
}

// mode reads the permission bits asked for; the default is 0666, as systemd's SocketMode=, and of a channel 0660: who may
// send there decides who gets served.
func (a Address) mode() (os.FileMode, error) {
	text := a.Options.Get("mode")
	switch {
	case text == "" && a.Source == "handoff":
		return 0o660, nil
	case text == "":
		return 0o666, nil
	}
	mode, err := strconv.ParseUint(strings.TrimPrefix(text, "0o"), 8, 32)
	if err != nil || mode > 0o777 {
		return 0, fmt.Errorf("%s: mode=%s is not an octal mode such as 0660, and at most 0777", a, text)
	}
	return os.FileMode(mode), nil
}

// bindUnix binds a unix socket. Its folder is locked meanwhile, so that of two processes which find the same stale socket
// file only one removes it. Until mode, owner and group are as asked nobody may connect (umask 0777).
func bindUnix(a Address) ([]Socket, error) {
	mode, err := a.mode()
	if err != nil {
		return nil, err
	}
	uid, gid, err := a.owner()
	if err != nil {
		return nil, err
	}
	abstract := strings.HasPrefix(a.Detail, "@")
	if !abstract {
		defer platform.LockFolder(filepath.Dir(a.Detail))()
		if err := removeStale(a); err != nil {
			return nil, err
		}
	}
	before := unix.Umask(0o777)
	l, err := net.Listen("unix", a.Detail)
	unix.Umask(before)
	if err != nil {
		var cause syscall.Errno
		if errors.As(err, &cause) && cause == syscall.EADDRINUSE {
			return nil, fmt.Errorf("%s: another program holds this name: stop that, or choose another: %w", a, cause)
		}
		if cause == syscall.ENOENT || cause == syscall.EACCES {
			return nil, fmt.Errorf("%s: the folder %s has to exist and this user to have write access to it: %w", a, filepath.Dir(a.Detail), cause)
		}
		return nil, fmt.Errorf("%s: %w", a, err)
	}
	if !abstract {
		if uid >= 0 || gid >= 0 { // else the call is not made: system call filters of services refuse it
			err = os.Lchown(a.Detail, uid, gid)
		}
		if err := errors.Join(err, os.Chmod(a.Detail, mode)); err != nil {
			l.Close()
			return nil, fmt.Errorf("%s: %w", a, err)
		}
		if l, err = removingOwn(l, a.Detail); err != nil {
			return nil, fmt.Errorf("%s: %w", a, err)
		}
	}
	info := platform.Socket{Family: platform.Unix, Type: platform.Stream, Protocol: "unix", State: platform.Listening, Local: a.Detail}
	return []Socket{bound(a, l, info)}, nil
}

// ownFile is a listener that was bound to a socket file. The file goes with it only if it is still the same one: package net
// removes it by its name, which may be a successor's by then (--unix-socket-force). As long as the socket is open no other
// file can have its inode.
type ownFile struct {
	*net.UnixListener
	remove func()
}

func removingOwn(l net.Listener, path string) (net.Listener, error) {
	file, err := os.Lstat(path)
	if err != nil {
		l.Close()
		return nil, err
	}
	socket := l.(*net.UnixListener)
	socket.SetUnlinkOnClose(false)
	return ownFile{socket, sync.OnceFunc(func() {
		defer platform.LockFolder(filepath.Dir(path))() // nobody binds the name between the look and the removal
		if now, err := os.Lstat(path); err == nil && os.SameFile(now, file) {
			os.Remove(path)
		}
	})}, nil
}

func (l ownFile) Close() error {
	l.remove()
	return l.UnixListener.Close()
}

// owner looks the user and group up; -1 leaves one as it is.
func (a Address) owner() (uid, gid int, err error) {
	uid, gid = -1, -1
	if name := a.Options.Get("owner"); name != "" {
		if uid, err = id(name, func() (string, error) {
			u, err := user.Lookup(name)
			if err != nil {
				return "", err
			}
			return u.Uid, nil
		}); err != nil {
			return 0, 0, fmt.Errorf("%s: owner=%s is neither a user of this machine nor a number: %w", a, name, err)
		}
	}
	if name := a.Options.Get("group"); name != "" {
		if gid, err = id(name, func() (string, error) {
			g, err := user.LookupGroup(name)
			if err != nil {
				return "", err
			}
			return g.Gid, nil
		}); err != nil {
			return 0, 0, fmt.Errorf("%s: group=%s is neither a group of this machine nor a number: %w", a, name, err)
		}
	}
	return uid, gid, nil
}

func id(name string, lookup func() (string, error)) (int, error) {
	if n, err := strconv.ParseUint(name, 10, 31); err == nil {
		return int(n), nil
	}
	text, err := lookup()
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(text)
}

// Blocked tells of a file in the place of a unix socket that will not be removed, as it is no socket.
func (a Address) Blocked() error {
	if a.Source != "unix" || strings.HasPrefix(a.Detail, "@") {
		return nil
	}
	if st, err := os.Lstat(a.Detail); err == nil && st.Mode().Type() != os.ModeSocket {
		return fmt.Errorf("%s: there is a file of that name that is no socket: remove it, or choose another path", a)
	}
	return nil
}

// removeStale removes the socket file that a dead process left: only a socket, and only after nobody answered on it.
func removeStale(a Address) error {
	_, err := os.Lstat(a.Detail)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", a, err)
	}
	if err := a.Blocked(); err != nil {
		return err
	}
	c, err := net.Dial("unix", a.Detail)
	if err == nil {
		c.Close()
		return fmt.Errorf("%s: another program answers on it: stop that, or choose another path: %w", a, syscall.EADDRINUSE)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("%s: exists, and whether anybody answers on it cannot be told: %w", a, err)
	}
	if err := os.Remove(a.Detail); err != nil {
		return fmt.Errorf("%s: remove the stale socket file: %w", a, err)
	}
	return nil
}
