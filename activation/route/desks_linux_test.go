package route

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/activation/handoff"
)

// What a process offers is closed also when it has ended before it is admitted.
func TestOfferOfTheDead(t *testing.T) {
	s := play(t, "web mine", "fallback = 'one'\n[backends.one]", Options{})
	hello := append([]byte("RH\x01\x01\x00\x03one\x02\x00\x00\x00\x00\x00\x01"), binary.BigEndian.AppendUint64(nil, 7)...)
	offer := func() {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		if err := unix.Connect(fd, &unix.SockaddrUnix{Name: s.desk}); err != nil {
			t.Fatal(err)
		}
		if err := unix.Sendmsg(fd, hello, unix.UnixRights(s.sockets["mine"][0].Number), nil, 0); err != nil {
			t.Fatal(err)
		}
	}
	offer()
	before := openFiles()
	for range 100 {
		offer()
	}
	until(t, "no descriptor is left", func() bool { return openFiles() <= before+5 })
}

// What a program asked for ends with it: the dispatcher does not go on connecting where nobody waits for it.
func TestQuestionsOfTheDead(t *testing.T) {
	s := play(t, "web", "fallback = 'one'\n[backends.one]\n[backends.one.network]\nconnect = '127.0.0.1:1024-65535'", Options{})
	const questions = 20
	full, remote := fullListener(t)
	defer unix.Close(full)
	n, err := handoff.DialNetwork(s.desk, "one")
	if err != nil {
		t.Fatal(err)
	}
	before := openFiles()
	for range questions {
		go n.Connect(handoff.NetworkRequest{Family: 4, Type: "stream", Remote: remote})
	}
	until(t, "it connects", func() bool { return openFiles() >= before+questions })
	n.Close()
	until(t, "it gives up", func() bool { return openFiles() <= before })
}

// fullListener returns a listener whose queue has no room: who connects waits.
func fullListener(t *testing.T) (fd int, address netip.AddrPort) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(fd, 0))
	}
	if err != nil {
		t.Fatal(err)
	}
	local, _ := unix.Getsockname(fd)
	client, err := net.DialTimeout("tcp", addressOf(local).String(), longest) // a queue of 0 holds one
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return fd, addressOf(local)
}
