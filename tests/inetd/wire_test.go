package inetd

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// inetd passes the socket as standard output and error too: a visitor would read log lines in the middle of the page, or
// before the TLS handshake, which then fails.
func TestOnlyHTTPOnTheWire(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{wait, nowait} {
		t.Run(mode, func(t *testing.T) {
			underEach(t, func(t *testing.T, s superServer) {
				svc := s.start(t, "127.0.0.1", mode, "--root="+site(t), "--idle-exit=1s")
				checkPlainWire(t, svc.dial(t))
				svc.starts.awaitEnds(t, 1, "0")
			})
		})
	}
}

// The same over TLS: the first byte must be a handshake record's.
func TestOnlyTLSOnTheWire(t *testing.T) {
	t.Parallel()
	underEach(t, func(t *testing.T, s superServer) {
		certFile, keyFile, pool := program.KeyPair(t, t.TempDir())
		svc := s.start(t, "127.0.0.1", nowait, "--root="+site(t), "--tls-cert="+certFile, "--tls-key="+keyFile)
		raw := &recorded{Conn: svc.dial(t)}
		checkPlainWire(t, tls.Client(raw, &tls.Config{RootCAs: pool, ServerName: "localhost"}))
		checkTLSRecords(t, raw.read.Bytes())
		svc.starts.awaitEnds(t, 1, "0")
	})
}

// A line about a broken configuration would go to the visitor, who must see nothing but the end; and inetd would be kept
// busy with starting what cannot run.
func TestBrokenConfigurationIsSilentOnTheWire(t *testing.T) {
	t.Parallel()
	missing := "--root=" + filepath.Join(t.TempDir(), "missing")
	for _, broken := range []struct{ name, arg, status string }{
		{"missing root", missing, "78"},
		{"unknown option", "--no-such-option", "2"},
		{"no certificate", "--listen=https=inetd:", "78"},
	} {
		t.Run(broken.name, func(t *testing.T) {
			underEach(t, func(t *testing.T, s superServer) {
				svc := s.start(t, "127.0.0.1", nowait, "--root="+site(t), broken.arg)
				for n := 1; n <= 2; n++ {
					if reply, err := io.ReadAll(svc.dial(t)); err != nil || len(reply) > 0 {
						t.Errorf("the client read %q, %v", reply, err)
					}
					svc.starts.awaitEnds(t, n, broken.status)
				}
			})
		})
	}
}

// checkPlainWire asks for the page over the connection and fails the test unless all that comes is one HTTP response.
func checkPlainWire(t testing.TB, conn net.Conn) {
	t.Helper()
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	stream, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(bytes.NewReader(stream))
	response, err := http.ReadResponse(reader, nil)
	if err != nil || !bytes.HasPrefix(stream, []byte("HTTP/1.1 200 OK\r\n")) {
		t.Fatalf("not a response: %v\n%s", err, stream)
	}
	body, _ := io.ReadAll(response.Body)
	rest, _ := io.ReadAll(reader)
	if string(body) != page || len(rest) > 0 {
		t.Errorf("body %q, and then %q", body, rest)
	}
}

// recorded keeps what is read from a connection.
type recorded struct {
	net.Conn
	read bytes.Buffer
}

func (r *recorded) Read(b []byte) (int, error) {
	n, err := r.Conn.Read(b)
	r.read.Write(b[:n])
	return n, err
}

// checkTLSRecords fails the test unless the bytes are TLS records and nothing else. A record is its type (20 to 23), its
// version and its length (RFC 8446 §5.1).
func checkTLSRecords(t testing.TB, stream []byte) {
	t.Helper()
	for rest := stream; len(rest) > 0; {
		if len(rest) < 5 || rest[0] < 20 || rest[0] > 23 || len(rest) < 5+int(rest[3])<<8+int(rest[4]) {
			t.Fatalf("not a TLS record at byte %d: %.100q", len(stream)-len(rest), rest)
		}
		rest = rest[5+int(rest[3])<<8+int(rest[4]):]
	}
}
