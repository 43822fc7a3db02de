package server

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"testing"
)

// visitor is a client that writes HTTP/1.1 by hand, so that it decides when each byte goes.
type visitor struct {
	net.Conn
	replies *bufio.Reader
}

func visit(t testing.TB, l net.Listener) *visitor {
	t.Helper()
	c := dial(t, l)
	return &visitor{c, bufio.NewReader(c)}
}

func (v *visitor) say(t testing.TB, text string) {
	t.Helper()
	if _, err := io.WriteString(v, text); err != nil {
		t.Fatalf("say %q: %v", text, err)
	}
}

func (v *visitor) ask(t testing.TB) {
	t.Helper()
	v.say(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
}

// hear reads a reply; last says whether it is to announce the end of the connection.
func (v *visitor) hear(t testing.TB, last bool) {
	t.Helper()
	reply, err := http.ReadResponse(v.replies, nil)
	if err != nil {
		t.Errorf("no reply: %v", err)
		return
	}
	body, err := io.ReadAll(reply.Body)
	if reply.StatusCode != 200 || err != nil || string(body) != "here" {
		t.Errorf("the reply is %d, %q, %v", reply.StatusCode, body, err)
	}
	if reply.Close != last {
		t.Errorf("Connection: close is %t, want %t", reply.Close, last)
	}
}

// ends expects that the server closes the connection without another byte.
func (v *visitor) ends(t testing.TB) {
	t.Helper()
	if rest, err := io.ReadAll(v.replies); len(rest) > 0 || err != nil {
		t.Errorf("instead of the end came %q, %v", rest, err)
	}
}

// greet begins HTTP/2 with prior knowledge: preface and empty SETTINGS.
func greet(t testing.TB, c net.Conn) {
	t.Helper()
	if _, err := io.WriteString(c, preface+string(frame(0x4, 0, 0, 0))); err != nil {
		t.Fatal(err)
	}
}

// get asks for / on a stream: the three fields are entries of HPACK's static table (RFC 7541 appendix A).
func get(t testing.TB, c net.Conn, stream uint32) {
	t.Helper()
	block := "\x82\x86\x84\x41\x01x" // GET, http, /, authority x
	head := binary.BigEndian.AppendUint32(nil, uint32(len(block))<<8|frameHeaders)
	head = append(head, flagEndHeaders|1)
	if _, err := c.Write(append(binary.BigEndian.AppendUint32(head, stream), block...)); err != nil {
		t.Fatal(err)
	}
}

// hear2 reads frames up to one of the kind, and returns its stream and payload.
func hear2(t testing.TB, c net.Conn, kind byte) (stream uint32, payload []byte) {
	t.Helper()
	for head := make([]byte, frameHeadSize); ; {
		if _, err := io.ReadFull(c, head); err != nil {
			t.Fatalf("no frame of type %d: %v", kind, err)
		}
		payload = make([]byte, binary.BigEndian.Uint32(head)>>8)
		if _, err := io.ReadFull(c, payload); err != nil {
			t.Fatal(err)
		}
		if head[3] == kind {
			return binary.BigEndian.Uint32(head[5:]), payload
		}
	}
}
