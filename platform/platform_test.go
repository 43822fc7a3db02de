package platform

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// What `rouse sockets` prints and serve decides by is what the kernel knows of a socket, on every system.
func TestDescribe(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	tcp, local := listen(t, "tcp", "127.0.0.1:0"), listen(t, "unix", path)
	client, server := connect(t, tcp)
	localClient, localServer := connect(t, local)
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	talking, err := net.Dial("udp", udp.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer talking.Close()
	for name, c := range map[string]struct {
		fd   int
		want Socket
	}{
		"tcp listener":           {number(t, tcp.(syscall.Conn)), Socket{IPv4, Stream, "tcp", Listening, tcp.Addr().String(), ""}},
		"tcp connection":         {number(t, server.(syscall.Conn)), Socket{IPv4, Stream, "tcp", Connected, tcp.Addr().String(), client.LocalAddr().String()}},
		"unix listener":          {number(t, local.(syscall.Conn)), Socket{Unix, Stream, "unix", Listening, path, ""}},
		"unix connection":        {number(t, localServer.(syscall.Conn)), Socket{Unix, Stream, "unix", Connected, path, ""}},
		"unix client":            {number(t, localClient.(syscall.Conn)), Socket{Unix, Stream, "unix", Connected, "", path}},
		"unnamed unix pair":      {pair(t)[0], Socket{Unix, Stream, "unix", Connected, "", ""}},
		"bound udp":              {number(t, udp.(syscall.Conn)), Socket{IPv4, Datagram, "udp", Bound, udp.LocalAddr().String(), ""}},
		"connected udp":          {number(t, talking.(syscall.Conn)), Socket{IPv4, Datagram, "udp", Connected, talking.LocalAddr().String(), udp.LocalAddr().String()}},
		"unbound udp":            {open(t, unix.AF_INET, unix.SOCK_DGRAM), Socket{IPv4, Datagram, "udp", Unbound, "0.0.0.0:0", ""}},
		"unbound unix datagrams": {open(t, unix.AF_UNIX, unix.SOCK_DGRAM), Socket{Unix, Datagram, "unix", Unbound, "", ""}},
	} {
		got, err := Describe(c.fd)
		if err != nil || got != c.want {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, c.want)
		}
		if !IsSocket(c.fd) {
			t.Errorf("%s is said to be no socket", name)
		}
	}
}

// IPv6 addresses are written as users write them, in brackets.
func TestDescribeIPv6(t *testing.T) {
	l := listen(t, "tcp6", "[::1]:0")
	client, server := connect(t, l)
	want := Socket{IPv6, Stream, "tcp", Connected, l.Addr().String(), client.LocalAddr().String()}
	if got, err := Describe(number(t, server.(syscall.Conn))); err != nil || got != want {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	if got, err := Describe(open(t, unix.AF_INET6, unix.SOCK_DGRAM)); err != nil || got.Local != "[::]:0" || got.State != Unbound {
		t.Errorf("unbound: %+v, %v", got, err)
	}
}

// A scoped address carries its interface's name, or the number of one that has no name any more.
func TestZone(t *testing.T) {
	interfaces, err := net.Interfaces()
	if err != nil || len(interfaces) == 0 {
		t.Skipf("no interfaces: %v", err)
	}
	if got := zone(interfaces[0].Index); got != interfaces[0].Name {
		t.Errorf("zone %d is %q, not %q", interfaces[0].Index, got, interfaces[0].Name)
	}
	if got := zone(1 << 30); got != "1073741824" {
		t.Errorf("an unknown zone is %q", got)
	}
	sa := &unix.SockaddrInet6{Port: 443, ZoneId: uint32(interfaces[0].Index), Addr: [16]byte{0: 0xfe, 1: 0x80, 15: 1}}
	if _, got := address(-1, sa); got != "[fe80::1%"+interfaces[0].Name+"]:443" {
		t.Errorf("written as %s", got)
	}
}

// A descriptor that is no socket is told for what it is: the user passed the wrong one.
func TestDescribeErrors(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	defer writer.Close()
	for want, f := range map[string]*os.File{"a regular file": file, "a directory": dir, "a character device": null, "a pipe": reader} {
		_, err := Describe(number(t, f))
		if !errors.Is(err, ErrNotSocket) || !strings.Contains(err.Error(), want) || errors.Is(err, unix.EBADF) {
			t.Errorf("%s: %v", want, err)
		}
		if IsSocket(number(t, f)) {
			t.Errorf("%s is said to be a socket", want)
		}
	}
	for _, fd := range []int{-1, 987654} {
		if _, err := Describe(fd); !errors.Is(err, unix.EBADF) || errors.Is(err, ErrNotSocket) {
			t.Errorf("descriptor %d: %v", fd, err)
		}
		if IsSocket(fd) {
			t.Errorf("descriptor %d is said to be a socket", fd)
		}
	}
}

// A user is told of types and families by their names, and of those without one by their numbers.
func TestNames(t *testing.T) {
	for got, want := range map[string]string{
		socketType(unix.SOCK_STREAM): "stream", socketType(unix.SOCK_DGRAM): "datagram", socketType(unix.SOCK_SEQPACKET): "seqpacket", socketType(77): "type 77",
		string(family(unix.AF_INET)): "ipv4", string(family(unix.AF_INET6)): "ipv6", string(family(unix.AF_UNIX)): "unix", string(family(77)): "family 77",
		usualProtocol(Socket{Family: Unix, Type: Stream}):   "unix",
		usualProtocol(Socket{Family: IPv4, Type: Stream}):   "tcp",
		usualProtocol(Socket{Family: IPv6, Type: Datagram}): "udp",
		usualProtocol(Socket{Family: IPv4, Type: "type 9"}): "unknown",
		fileType(unix.S_IFBLK):                              "a block device",
		fileType(unix.S_IFDIR):                              "a directory",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
