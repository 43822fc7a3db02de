package faults

import (
	"strings"
	"testing"
)

// Without these the attacks of a few machines on what a connection costs would take the server away from all others.
func TestAttacksOnConnections(t *testing.T) {
	for _, a := range attacksOnConnections() {
		t.Run(a.name, a.try)
	}
}

func attacksOnConnections() []*attack {
	return []*attack{
		{name: "silent connections", tried: "connect and send nothing", allow: 16, peer: true, assail: (*client).listen},
		{name: "silent TLS handshakes", tried: "connect and send nothing", allow: 32, secure: true, peer: true, assail: (*client).listen},
		{name: "half TLS handshakes", tried: "half a ClientHello", allow: 32, secure: true, peer: true, assail: func(c *client) {
			c.send("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
			c.listen()
		}},
		{name: "silence after the TLS handshake", tried: "the handshake and nothing more", allow: 160, secure: true, proto: "http/1.1", peer: true,
			assail: (*client).listen},
	}
}

func TestAttacksOverHTTP1(t *testing.T) {
	for _, a := range attacksOverHTTP1() {
		t.Run(a.name, a.try)
	}
}

func attacksOverHTTP1() []*attack {
	const head = "GET / HTTP/1.1\r\nHost: localhost\r\n"
	slowHead := func(c *client) {
		c.send(head)
		go c.trickle("X: y\r\n")
		c.listen()
	}
	slowBody := func(c *client) {
		c.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n")
		go c.trickle("x")
		c.listen()
	}
	unread := func(c *client) {
		c.send("GET /large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n")
		c.neglect()
	}
	slowRead := func(c *client) {
		c.send("GET /large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n")
		c.sip()
	}
	return []*attack{
		{name: "slow heads (slowloris)", tried: "a field of a head now and then", allow: 32, peer: true, assail: slowHead},
		{name: "slow heads (slowloris) over TLS", tried: "a field of a head now and then", allow: 200, secure: true, proto: "http/1.1", peer: true,
			assail: slowHead},
		{name: "slow bodies", tried: "a byte of a body now and then", allow: 64, peer: true, assail: slowBody},
		{name: "slow bodies over TLS", tried: "a byte of a body now and then", allow: 200, secure: true, proto: "http/1.1", peer: true,
			assail: slowBody},
		{name: "unread files", tried: "ask for 64 MiB, read nothing", allow: 64, sips: true, peer: true, assail: unread},
		{name: "unread files over TLS", tried: "ask for 64 MiB, read nothing", allow: 640, sips: true, secure: true, proto: "http/1.1", peer: true, assail: unread},
		{name: "slow reads", tried: "ask for 64 MiB, take a few bytes now and then", allow: 64, sips: true, peer: true, assail: slowRead},
		{name: "slow reads over TLS", tried: "ask for 64 MiB, take a few bytes now and then", allow: 640, secure: true, proto: "http/1.1",
			sips: true, peer: true, assail: slowRead},
		{name: "many fields", tried: "a head of 100,000 fields", allow: 1000, floods: true, peer: true, word: "431", assail: func(c *client) {
			go func() {
				if c.send(head) != nil {
					return
				}
				for range 100 {
					if c.send(strings.Repeat("X: y\r\n", 1000)) != nil {
						return
					}
				}
				c.send("\r\n")
			}()
			c.listen()
		}},
	}
}
