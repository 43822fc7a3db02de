package route

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
)

// clientHello returns what a client of this configuration sends first.
func clientHello(t testing.TB, c *tls.Config) []byte {
	t.Helper()
	near, far := net.Pipe()
	defer near.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tls.Client(far, c).HandshakeContext(ctx)
		far.Close()
	}()
	b := make([]byte, mostHello)
	n := 0
	for n < 5 || n < 5+int(binary.BigEndian.Uint16(b[3:])) {
		more, err := near.Read(b[n:])
		if err != nil {
			t.Fatal(err)
		}
		n += more
	}
	near.Close()
	cancel()
	<-ended
	return b[:n]
}

// inRecords spreads the message of a record over many of them.
func inRecords(b []byte, size int) []byte {
	var all []byte
	for part := range slices.Chunk(b[5:], size) {
		all = append(all, b[0], b[1], b[2])
		all = binary.BigEndian.AppendUint16(all, uint16(len(part)))
		all = append(all, part...)
	}
	return all
}

// hello builds a ClientHello with these extensions, each with its kind in front.
func hello(extensions ...string) []byte {
	var list []byte
	for _, e := range extensions {
		list = append(list, e[:2]...)
		list = binary.BigEndian.AppendUint16(list, uint16(len(e)-2))
		list = append(list, e[2:]...)
	}
	body := append(make([]byte, 2+32), 0, 0, 2, 0x13, 1, 1, 0)
	body = append(binary.BigEndian.AppendUint16(body, uint16(len(list))), list...)
	message := append([]byte{1, 0, byte(len(body) >> 8), byte(len(body))}, body...)
	return append([]byte{22, 3, 1, byte(len(message) >> 8), byte(len(message))}, message...)
}

func TestReadHello(t *testing.T) {
	for _, c := range []struct {
		config *tls.Config
		name   string
	}{
		{&tls.Config{ServerName: "WWW.Example.org", NextProtos: []string{"h2", "http/1.1"}}, "www.example.org"},
		{&tls.Config{ServerName: "192.0.2.1", InsecureSkipVerify: true}, ""}, // addresses are not asked for
		{&tls.Config{ServerName: "old.example", MaxVersion: tls.VersionTLS12}, "old.example"},
	} {
		whole := clientHello(t, c.config)
		for _, b := range [][]byte{whole, inRecords(whole, 1), inRecords(whole, 100), append(slices.Clone(whole), "early data"...)} {
			name, alpn, more, err := readHello(b)
			if name != c.name || !slices.Equal(alpn, c.config.NextProtos) || more || err != nil {
				t.Errorf("%s: %q, %q, more %t, %v", c.config.ServerName, name, alpn, more, err)
			}
		}
		for _, b := range [][]byte{whole, inRecords(whole, 7)} {
			for n := range b {
				if name, alpn, more, err := readHello(b[:n]); name != "" || alpn != nil || !more || err != nil {
					t.Fatalf("%d of %d bytes: %q, %q, more %t, %v", n, len(b), name, alpn, more, err)
				}
			}
		}
	}
}

// What is no TLS is told from its first byte; what is a ClientHello that cannot be read, as soon as that is certain.
func TestReadHelloRefuses(t *testing.T) {
	long := slices.Concat([]byte{22, 3, 1, 0x40, 0, 1, 1, 0, 0}, make([]byte, 1<<14-4))
	for _, c := range []struct {
		b    []byte
		want error
	}{
		{[]byte("GET / HTTP/1.1\r\n"), errNotTLS},
		{[]byte{22, 2}, errNotTLS},
		{[]byte{22, 3, 1, 0, 0}, errNotTLS},
		{[]byte{22, 3, 1, 0xff, 0xff}, errNotTLS},
		{[]byte{22, 3, 1, 0, 4, 2}, errNotTLS},
		{[]byte{21, 3, 1, 0, 2, 1, 0}, errNotTLS},
		{append([]byte{22, 3, 1, 0, 1, 1}, 23, 3, 1, 0, 1), errHello},
		{long, errHello},
		{[]byte{22, 3, 1, 0, 4, 1, 0, 0, 0}, errHello},
		{hello("\x00\x00\x00\x09\x00\x00\x06a b.xy"), errHello},
		{hello("\x00\x00\x00\x05\x00\x00\x02\xc3\xa4"), errHello},
		{hello("\x00\x00\x00\x08\x00\x00\x01a\x00\x00\x01b"), errHello}, // two names
		{hello("\x00\x00\x00\x07\x00\x00\x05a"), errHello},
		{hello("\x00\x10\x00\x04\x03h2"), errHello},
		{hello("\x00\x10\x00\x01\x00"), errHello},
	} {
		if name, alpn, more, err := readHello(c.b); !errors.Is(err, c.want) || name != "" || alpn != nil || more {
			t.Errorf("%.30q: %q, %q, more %t, %v", c.b, name, alpn, more, err)
		}
	}
	if _, _, more, err := readHello(nil); !more || err != nil {
		t.Errorf("nothing: more %t, %v", more, err)
	}
	if name, _, _, err := readHello(hello("\xab\xcdxyz", "\x00\x00\x00\x10\x00\x00\x0dExample.ORG.x", "\x00\x00")); err == nil {
		t.Errorf("an empty list of names: %q", name)
	}
	if name, alpn, _, err := readHello(hello("\xab\xcdxyz", "\x00\x00\x00\x0f\x00\x00\x0cExample.ORG.", "\x00\x10\x00\x03\x02h2")); name != "example.org" || !slices.Equal(alpn, []string{"h2"}) || err != nil {
		t.Errorf("%q, %q, %v", name, alpn, err)
	}
}

// Whatever a client sends, reading it ends, and reading less of it tells the same or asks for more.
func FuzzReadHello(f *testing.F) {
	whole := clientHello(f, &tls.Config{ServerName: "example.org", NextProtos: []string{"h2"}})
	f.Add(whole, 40)
	f.Add(inRecords(whole, 50), 7)
	f.Add([]byte("GET / HTTP/1.1\r\n"), 3)
	f.Add(hello("\x00\x00\x00\x0f\x00\x00\x0cExample.ORG.", "\x00\x10\x00\x03\x02h2"), 60)
	f.Fuzz(func(t *testing.T, b []byte, part int) {
		name, alpn, more, err := readHello(b)
		if more && (err != nil || name != "" || alpn != nil) || err != nil && !errors.Is(err, errNotTLS) && !errors.Is(err, errHello) {
			t.Fatalf("%q, %q, more %t, %v", name, alpn, more, err)
		}
		if name != strings.ToLower(name) || strings.ContainsAny(name, "\x00\n ") || more && len(b) > 6*mostHello {
			t.Errorf("%q, more %t", name, more)
		}
		if part < 0 || part > len(b) {
			return
		}
		before, offered, less, wrong := readHello(b[:part])
		if !less && (before != name || !slices.Equal(offered, alpn) || more || (wrong == nil) != (err == nil)) {
			t.Errorf("%d bytes: %q, %v; all: %q, more %t, %v", part, before, wrong, name, more, err)
		}
	})
}
