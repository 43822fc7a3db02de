package inetd

import (
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"
)

// peer is who connected, and to what.
type peer struct {
	client, local netip.AddrPort // not valid for a unix socket
}

// String names the client in the log.
func (p peer) String() string {
	if !p.client.IsValid() {
		return "unix"
	}
	return p.client.String()
}

// peerOf asks the kernel who the peer of a connection is.
func peerOf(fd int) peer {
	client, _ := unix.Getpeername(fd)
	local, _ := unix.Getsockname(fd)
	return peer{addrPort(client), addrPort(local)}
}

// unmapped is the peer with addresses of IPv4 as such.
func (p peer) unmapped() peer {
	return peer{unmap(p.client), unmap(p.local)}
}

func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// environment tells a program about its client: as UCSPI does (https://cr.yp.to/proto/ucspi.txt, TCP of tcp-environ(5)), and as
// CGI and systemd do (systemd.socket(5), Accept=). PROTO is TCP for IPv6 too: programs look for this word before they look at
// TCPREMOTEIP. No names are looked up: REMOTE_HOST is the address, as RFC 3875 §4.1.9 allows.
func (p peer) environment(base []string) []string {
	env := make([]string, len(base), len(base)+8)
	copy(env, base)
	if !p.client.IsValid() {
		return append(env, "PROTO=UNIX")
	}
	address, port := p.client.Addr().String(), strconv.Itoa(int(p.client.Port()))
	return append(env,
		"PROTO=TCP",
		"TCPREMOTEIP="+address,
		"TCPREMOTEPORT="+port,
		"TCPLOCALIP="+p.local.Addr().String(),
		"TCPLOCALPORT="+strconv.Itoa(int(p.local.Port())),
		"REMOTE_HOST="+address,
		"REMOTE_ADDR="+address,
		"REMOTE_PORT="+port,
	)
}

// theirs are the variables that tell about a client. Those that were inherited tell about another one.
func theirs() []string {
	return []string{
		"PROTO", "TCPREMOTEIP", "TCPREMOTEPORT", "TCPREMOTEHOST", "TCPREMOTEINFO", "TCPLOCALIP", "TCPLOCALPORT", "TCPLOCALHOST",
		"REMOTE_HOST", "REMOTE_ADDR", "REMOTE_PORT", "REMOTE_IDENT", "REMOTE_USER", "SOCKET_COOKIE", "SO_COOKIE",
	}
}

// ours are the variables that are meant for this process: standard error is no longer the stream of JOURNAL_STREAM, and no
// socket is passed by number.
func ours() []string {
	return []string{
		"LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES", "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC",
		"JOURNAL_STREAM",
	}
}
