package reply

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2/hpack"
)

// nextHandler hands requests to whichever handler is set.
type nextHandler struct{ http.Handler }

// reference is net/http's server, and a way to ask it over a new connection.
func reference(t *testing.T, h http.Handler, protocol string) (dial func() net.Conn) {
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(protocol == "HTTP/1.1")
	server.Config.Protocols.SetUnencryptedHTTP2(protocol == "HTTP/2.0")
	server.Start()
	t.Cleanup(server.Close)
	return func() net.Conn {
		c, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(20 * time.Second))
		return c
	}
}

// overHTTP1 returns what the server answers, with the date "now".
func overHTTP1(t *testing.T, dial func() net.Conn, head, closes bool) []byte {
	t.Helper()
	c := dial()
	defer c.Close()
	method, option := "GET", ""
	if head {
		method = "HEAD"
	}
	if closes {
		option = "Connection: close\r\n"
	}
	// Without its second request the connection would not tell where the first answer ends.
	fmt.Fprintf(c, "%s / HTTP/1.1\r\nHost: example.com\r\n%s\r\n", method, option)
	if !closes {
		c.(*net.TCPConn).CloseWrite()
	}
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(b, []byte("\r\n"))
	for i, line := range lines {
		if bytes.HasPrefix(line, []byte("Date: ")) && !bytes.Contains(line, []byte("01 Jan 2026")) {
			lines[i] = []byte("Date: now\r\n")
			break
		}
		if len(line) == 2 {
			break
		}
	}
	return bytes.Join(lines, nil)
}

// decode lists the fields of a block, and fails if a decoder without a dynamic table does not understand it.
func decode(t *testing.T, block []byte) string {
	t.Helper()
	decoder := hpack.NewDecoder(0, nil)
	decoder.SetAllowedMaxDynamicTableSize(0)
	fields, err := decoder.DecodeFull(block)
	if err != nil {
		t.Fatal(err)
	}
	var list strings.Builder
	for _, f := range fields {
		fmt.Fprintf(&list, "%s: %s\n", f.Name, f.Value)
	}
	return list.String()
}

// overHTTP2 asks once and returns the list of fields without the date, and the body.
func overHTTP2(t *testing.T, dial func() net.Conn, head bool) (fields string, body []byte) {
	t.Helper()
	c := dial()
	defer c.Close()
	method := "GET"
	if head {
		method = "HEAD"
	}
	var block []byte
	for _, pair := range [][2]string{{":method", method}, {":scheme", "http"}, {":authority", "example.com"}, {":path", "/"}} {
		block = appendLiteral(block, pair[0], pair[1])
	}
	const settings, endStream, endHeaders = 4, 1, 4
	request := append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 0, 0, 0, settings, 0, 0, 0, 0, 0)
	request = append(request, 0, 0, byte(len(block)), headersFrame, endStream|endHeaders, 0, 0, 0, 1)
	if _, err := c.Write(append(request, block...)); err != nil {
		t.Fatal(err)
	}
	decoder := hpack.NewDecoder(4096, nil)
	var list strings.Builder
	for {
		kind, flags, payload := readFrame(t, c)
		switch kind {
		case headersFrame:
			got, err := decoder.DecodeFull(payload)
			if err != nil || flags&endHeaders == 0 {
				t.Fatalf("flags %x, %v", flags, err)
			}
			for _, f := range got {
				if f.Name != "date" {
					fmt.Fprintf(&list, "%s: %s\n", f.Name, f.Value)
				}
			}
		case dataFrame:
			body = append(body, payload...)
		default:
			continue
		}
		if flags&endStream != 0 {
			return list.String(), body
		}
	}
}

// The types of frames that a response has (RFC 9113 §6).
const (
	dataFrame    = 0
	headersFrame = 1
)

func readFrame(t *testing.T, c net.Conn) (kind, flags byte, payload []byte) {
	t.Helper()
	var header [9]byte
	if _, err := io.ReadFull(c, header[:]); err != nil {
		t.Fatal(err)
	}
	payload = make([]byte, binary.BigEndian.Uint32(header[:])>>8)
	if _, err := io.ReadFull(c, payload); err != nil {
		t.Fatal(err)
	}
	return header[3], header[4], payload
}
