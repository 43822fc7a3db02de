package servers

import (
	"context"
	"fmt"
	"net"
	"strings"
)

// datagrams are servers on UDP sockets: each is handed on as it is, bound.
func datagrams() []server {
	return []server{
		{
			name:     "dnsmasq, UDP and TCP",
			packages: []string{"dnsmasq-base"},
			version:  "dnsmasq --version",
			files: map[string]string{"hosts": "192.0.2.@number@ drill.test\n", "dnsmasq.conf": `
port=@udp@
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
			sockets: []socket{{name: "udp", network: "udp4", port: 5353}, {name: "tcp", network: "tcp4", port: 5353}},
			client:  lookUp("udp", "tcp"),
			logFile: "@dir@/dnsmasq.log",
			peer:    `@ip@/@port@ query`,
			reload:  "HUP",
		},
		{
			name:     "UDP echo, Python",
			packages: []string{"python3"},
			version:  "python3 -V",
			files: map[string]string{"echo.py": `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", @udp@))
while True:
    data, peer = s.recvfrom(2048)
    print("from %s:%d" % peer, flush=True)
    s.sendto(b"@word@ " + data, peer)
`},
			command: []string{"/usr/bin/python3", "echo.py"},
			sockets: []socket{{name: "udp", network: "udp4", port: 7777}},
			guess:   true,
			client:  echo,
			peer:    `from @ip@:@port@`,
			reload:  "restart",
			abrupt:  true,
		},
	}
}

// lookUp asks for an address over each of the sockets.
func lookUp(names ...string) func(*drill) error {
	return func(d *drill) error {
		for _, name := range names {
			resolver := net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { return d.dial(name) }}
			addresses, err := resolver.LookupNetIP(context.Background(), "ip4", "drill.test.")
			if err != nil {
				return fmt.Errorf("over %s: %w", name, err)
			}
			got, want := fmt.Sprint(addresses), d.fill("[192.0.2.@number@]")
			if got == "[192.0.2.1]" && d.word == "two" {
				return wrongAnswer{"two", "one"}
			}
			if got != want {
				return fmt.Errorf("over %s drill.test is %s, want %s", name, got, want)
			}
		}
		return nil
	}
}

// echo sends a datagram and wants it back.
func echo(d *drill) error {
	c, err := d.dial("udp")
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Write([]byte("hello")); err != nil {
		return err
	}
	answer := make([]byte, 2048)
	n, err := c.Read(answer)
	if err != nil {
		return err
	}
	if !strings.HasSuffix(string(answer[:n]), " hello") {
		return fmt.Errorf("the echo is %q", answer[:n])
	}
	return d.check(string(answer[:n]))
}
