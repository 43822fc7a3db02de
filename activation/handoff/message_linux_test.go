package handoff

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// A TCP connection is known for sure, also when its client has said all; whatever else there is has to be looked at.
func TestOpenTCP(t *testing.T) {
	noLeak(t)
	client, fd := connection(t)
	if !openTCP(fd) {
		t.Error("a connection")
	}
	if err := client.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}, int(limit.Milliseconds()))
	if !openTCP(fd) {
		t.Error("a connection whose client has said all")
	}
	for what, fd := range notConnections(t) {
		if openTCP(fd) {
			t.Error(what)
		}
	}
	ours, _ := pair(t, unix.SOCK_STREAM)
	defer unix.Close(ours)
	udp, err := net.Dial("udp4", "127.0.0.1:9")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	if openTCP(ours) || openTCP(descriptor(t, udp.(*net.UDPConn))) {
		t.Error("a unix or UDP socket")
	}
}
