package servers

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"
)

// datagrams are servers on UDP. Who binds every address has to answer from the one that the client asked.
func datagrams() []server {
	return []server{
		{
			name:     "dnsmasq, UDP and TCP",
			packages: []string{"dnsmasq-base"},
			version:  "dnsmasq --version",
			way:      byRun,
			whole:    true,
			alone:    true, // bound to one address it does not look at which one a client asked
			files: map[string]string{"hosts": "192.0.2.@number@ drill.test\n", "dnsmasq.conf": `
port=@dns@
listen-address=127.0.0.1
bind-interfaces
no-resolv
no-hosts
addn-hosts=@dir@/hosts
log-queries=extra
log-facility=@dir@/dnsmasq.log
user=root
pid-file=
`},
			command: []string{"/usr/sbin/dnsmasq", "--keep-in-foreground", "--conf-file=@dir@/dnsmasq.conf"},
			sockets: []socket{{name: "dns", network: "udp4", port: 53}, {name: "tcp", network: "tcp4", port: 53}},
			client:  lookUp("dns", "tcp"),
			load:    lookUp("dns"),
			logFile: "@dir@/dnsmasq.log",
			peer:    `@ip@/@port@ query`,
			abrupt:  true,
		},
		{
			name:     "UDP echo, Python",
			packages: []string{"python3"},
			version:  "python3 -V",
			way:      byRun,
			always:   true,
			whole:    true,
			files: map[string]string{"echo.py": `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, 8, 1)  # IP_PKTINFO
s.bind(("0.0.0.0", @udp@))
while True:
    data, here, flags, peer = s.recvmsg(2048, 128)
    print("from %s:%d" % peer, flush=True)
    s.sendmsg([b"@word@ " + data], here, 0, peer)
`},
			command: []string{"/usr/bin/python3", "echo.py"},
			sockets: []socket{{name: "udp", network: "udp4"}},
			client:  echo,
			peer:    `from @ip@:@port@`,
			abrupt:  true,
		},
	}
}

// lookUp asks for an address over each of the sockets.
func lookUp(names ...string) func(*visit) error {
	return func(v *visit) error {
		for _, name := range names {
			resolver := net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { return v.dial(name) }}
			addresses, err := resolver.LookupNetIP(context.Background(), "ip4", "drill.test.")
			if err != nil {
				return fmt.Errorf("over %s: %w", name, err)
			}
			if got, want := fmt.Sprint(addresses), v.fill("[192.0.2.@number@]"); got != want {
				return fmt.Errorf("over %s drill.test is %s, want %s", name, got, want)
			}
		}
		return nil
	}
}

// echo sends a datagram and wants it back. As clients on UDP do, it sends again when no answer comes: the kernel does not note
// to which address datagrams came that wait before the program has asked for that (IP_PKTINFO, ip(7)).
func echo(v *visit) error {
	c, err := v.dial("udp")
	if err != nil {
		return err
	}
	defer c.Close()
	answer := make([]byte, 2048)
	n := 0
	for range 4 {
		if _, err := c.Write([]byte("hello")); err != nil {
			return err
		}
		_ = c.SetReadDeadline(time.Now().Add(time.Second))
		if n, err = c.Read(answer); err == nil {
			break
		}
	}
	if err != nil {
		return err
	}
	if !strings.HasSuffix(string(answer[:n]), " hello") {
		return fmt.Errorf("the echo is %q", answer[:n])
	}
	return v.check(string(answer[:n]))
}
