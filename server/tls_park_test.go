package server

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"
)

// The lane reads through a tls.Conn over a connection that does not wait: a read that finds nothing returns errNothing, and is
// repeated when more was received. crypto/tls keeps what it has read so far where the error is Temporary (Go 1.26,
// src/crypto/tls/conn.go: readRecordOrCCS, readFromUntil), which it does not promise. These tests hold it to that: should one
// fail with a new Go, connections with TLS lose bytes in the lane.

// pieces is the connection below TLS. After the handshake it gives what the test puts in, and keeps what is written.
type pieces struct {
	net.Conn
	cut  bool
	in   bytes.Buffer
	sent bytes.Buffer
}

func (p *pieces) Read(b []byte) (int, error) {
	if !p.cut {
		return p.Conn.Read(b)
	}
	if p.in.Len() == 0 {
		return 0, errNothing
	}
	return p.in.Read(b)
}

func (p *pieces) Write(b []byte) (int, error) {
	if !p.cut {
		return p.Conn.Write(b)
	}
	return p.sent.Write(b)
}

// cutTLS is both ends of a connection with TLS after the handshake, and what is below them.
type cutTLS struct {
	client, server *tls.Conn
	near, far      *pieces // below server and client
	secrets        strings.Builder
}

func newCutTLS(t testing.TB, version uint16) *cutTLS {
	t.Helper()
	near, far := tcpPair(t)
	c := &cutTLS{near: &pieces{Conn: near}, far: &pieces{Conn: far}}
	c.server = tls.Server(c.near, &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return selfSigned() }})
	c.client = tls.Client(c.far, &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version, KeyLogWriter: &c.secrets})
	done := make(chan error, 1)
	go func() { done <- c.server.Handshake() }()
	if err := errors.Join(c.client.Handshake(), <-done); err != nil {
		t.Fatal(err)
	}
	if version == tls.VersionTLS13 { // the session tickets are on their way: the client is to have read them
		c.server.Write([]byte("x"))
		if !hears(c.client, "x") {
			t.Fatal("the handshake does not end")
		}
	}
	c.near.cut, c.far.cut = true, true
	return c
}

// said is what the client's end has written since the last call.
func (c *cutTLS) said() []byte {
	defer c.far.sent.Reset()
	return bytes.Clone(c.far.sent.Bytes())
}

// read reads until nothing is left, or the connection ends.
func (c *cutTLS) read() (got string, err error) {
	b := make([]byte, 1000)
	for {
		n, err := c.server.Read(b)
		got += string(b[:n])
		if err != nil {
			return got, err
		}
	}
}

// feed puts in what the client said, in pieces of at most so many bytes, with reads between that find nothing.
func (c *cutTLS) feed(t testing.TB, said []byte, most int) (got string, err error) {
	t.Helper()
	for len(said) > 0 {
		n := min(1+rand.IntN(most), len(said))
		c.near.in.Write(said[:n])
		said = said[n:]
		var more string
		more, err = c.read()
		got += more
		for range 2 {
			if more, again := c.read(); more != "" || !errors.Is(again, err) {
				t.Fatalf("a read after %v gives %q, %v", err, more, again)
			}
		}
		if len(said) > 0 && !errors.Is(err, errNothing) {
			t.Fatalf("after %q, with %d bytes to come: %v", got, len(said), err)
		}
	}
	return got, err
}

// Records may arrive in any pieces: nothing is lost, and while one is not whole nothing is what a read finds.
func TestTLSReadsInPieces(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, most := range []int{1, 2, 30, 1500, 1 << 20} {
			t.Run(tls.VersionName(version), func(t *testing.T) {
				c := newCutTLS(t, version)
				if _, err := c.read(); !errors.Is(err, errNothing) {
					t.Fatalf("before anything was said: %v", err)
				}
				sizes := []int{1, 100, 17 << 10, 100, 3}
				if most < 30 { // which takes long
					sizes = []int{1, 100, 3}
				}
				for _, size := range sizes {
					want := ""
					for i := range 3 { // several records, the long ones of the largest size
						word := strings.Repeat(string(rune('a'+i)), size)
						io.WriteString(c.client, word)
						want += word
					}
					if got, err := c.feed(t, c.said(), most); got != want || !errors.Is(err, errNothing) {
						t.Fatalf("of %d bytes %d arrived, %v", len(want), len(got), err)
					}
					if io.WriteString(c.server, "yes"); !c.hear("yes") {
						t.Fatal("the client does not understand the answer")
					}
				}
				c.client.CloseWrite()
				if got, err := c.feed(t, c.said(), most); got != "" || err != io.EOF {
					t.Errorf("the client's farewell gives %q, %v", got, err)
				}
			})
		}
	}
}

// hear gives the client what the server wrote, which must be this text.
func (c *cutTLS) hear(text string) bool {
	c.far.in.Write(c.near.sent.Bytes())
	c.near.sent.Reset()
	return hears(c.client, text)
}

// hears tells whether exactly this comes next.
func hears(from io.Reader, text string) bool {
	got := make([]byte, len(text))
	_, err := io.ReadFull(from, got)
	return err == nil && string(got) == text
}

// A farewell right behind data, whole or in part, does not keep the data back.
func TestTLSFarewellBehindData(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		c := newCutTLS(t, version)
		io.WriteString(c.client, "last words")
		words := c.said()
		c.client.CloseWrite()
		farewell := c.said()
		for cut := range farewell {
			if cut > 0 {
				c = newCutTLS(t, version)
				io.WriteString(c.client, "last words")
				words = c.said()
				c.client.CloseWrite()
				farewell = c.said()
			}
			c.near.in.Write(append(words, farewell[:cut]...))
			if got, err := c.read(); got != "last words" || !errors.Is(err, errNothing) {
				t.Fatalf("with %d bytes of the farewell: %q, %v", cut, got, err)
			}
			c.near.in.Write(farewell[cut:])
			if got, err := c.read(); got != "" || err != io.EOF {
				t.Fatalf("after the rest %q, %v", got, err)
			}
		}
	}
}

// What was tampered with ends the connection for good: it is not taken for something that is still to come.
func TestTLSForgedRecord(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		c := newCutTLS(t, version)
		io.WriteString(c.client, "word")
		said := c.said()
		said[len(said)-1] ^= 1
		for range 3 {
			c.near.in.Write(said)
			if got, err := c.read(); got != "" || err == nil || errors.Is(err, errNothing) {
				t.Errorf("%q, %v", got, err)
			}
		}
	}
}

// A client may change its keys at any time (KeyUpdate, RFC 8446 §4.6.3), in pieces, in a message over two records, and ask
// that the server changes its own.
func TestTLSKeyUpdateInPieces(t *testing.T) {
	for _, request := range []byte{0, 1} {
		for _, most := range []int{1, 7, 1 << 20} {
			c := newCutTLS(t, tls.VersionTLS13)
			w := c.writer(t)
			update := []byte{24, 0, 0, 1, request}
			var said []byte
			said = append(said, w.seal(23, []byte("before, "))...)
			said = append(said, w.seal(22, update)...)
			w.next()
			said = append(said, w.seal(23, []byte("between, "))...)
			said = append(said, w.seal(22, update[:2])...)
			said = append(said, w.seal(22, update[2:])...)
			w.next()
			said = append(said, w.seal(23, []byte("after"))...)
			if got, err := c.feed(t, said, most); got != "before, between, after" || !errors.Is(err, errNothing) {
				t.Errorf("in pieces of up to %d: %q, %v", most, got, err)
			}
			if io.WriteString(c.server, "yes"); !c.hear("yes") {
				t.Error("the client does not understand the answer")
			}
		}
	}
}

// A read that finds nothing does so without waiting and as often as it is asked to.
func TestTLSReadsNothingOften(t *testing.T) {
	c := newCutTLS(t, tls.VersionTLS13)
	begun := time.Now()
	for range 10_000 {
		if _, err := c.server.Read(make([]byte, 1)); !errors.Is(err, errNothing) {
			t.Fatal(err)
		}
	}
	if took := time.Since(begun); took > bound/2 {
		t.Errorf("10,000 reads take %s", took)
	}
	io.WriteString(c.client, "word")
	if got, err := c.feed(t, c.said(), 5); got != "word" || !errors.Is(err, errNothing) {
		t.Errorf("then %q, %v", got, err)
	}
}
