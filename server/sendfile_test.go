package server

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// tcpPair is both ends of a TCP connection with small buffers, so that a reader that stands still is felt soon.
func tcpPair(t testing.TB) (near, far *net.TCPConn) {
	t.Helper()
	l := listen(t)
	client := dial(t, l)
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	near, far = server.(*net.TCPConn), client.(*net.TCPConn)
	near.SetWriteBuffer(16 << 10)
	far.SetReadBuffer(16 << 10)
	return near, far
}

// A client that pauses longer than the send timeout and goes on gets a whole reply or a broken connection, never one with a
// hole in it: over a real socket, from a file by sendfile and from memory.
func TestTransportPausingReader(t *testing.T) {
	sent := payload(6 << 20)
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, sent, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for name, source := range map[string]io.Reader{"file": file, "memory": bytes.NewReader(sent)} {
		near, far := tcpPair(t)
		const timeout = 250 * time.Millisecond
		tr := &transport{Conn: near, sendTimeout: timeout}
		received := make(chan []byte, 1)
		go func() {
			var got bytes.Buffer
			io.CopyN(&got, far, 100<<10)
			time.Sleep(timeout * 5 / 4) // a client that pauses: the first timeout ends here, with something sent
			io.Copy(&got, far)
			received <- got.Bytes()
		}()
		n, err := tr.ReadFrom(io.LimitReader(source, int64(len(sent))))
		near.Close()
		got := <-received
		if err == nil && (n != int64(len(sent)) || len(got) != len(sent)) || !bytes.HasPrefix(sent, got) {
			t.Errorf("%s: sent %d bytes, %v; the client got %d, the beginning of the file: %t", name, n, err, len(got), bytes.HasPrefix(sent, got))
		}
	}
}

// spy is a TCP connection that notes what its ReadFrom is given: the reader from which net uses sendfile(2).
type spy struct {
	net.Conn
	given chan io.Reader
}

func (s spy) ReadFrom(r io.Reader) (int64, error) {
	s.given <- r
	return s.Conn.(io.ReaderFrom).ReadFrom(r)
}

// spying is a listener of such connections.
type spying struct {
	net.Listener
	given chan io.Reader
}

func (l spying) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return spy{c, l.given}, nil
}

// Files go from the page cache to the network by sendfile(2) through the whole chain, logged or not: without it each byte is
// copied twice and large downloads cost several times the processor.
func TestSendfileWithinReach(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, payload(100_000), 0o600); err != nil {
		t.Fatal(err)
	}
	content := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		file, err := os.Open(path)
		if err != nil {
			t.Error(err)
			return
		}
		defer file.Close()
		http.ServeContent(w, r, "f.bin", time.Time{}, file)
	})
	l := spying{listen(t), make(chan io.Reader, 10)}
	build(t, content, nil).serve(t, Socket{Listener: l, Name: "http"})
	reply, err := browser(t, "h1").Get("http://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	if body, err := io.ReadAll(reply.Body); len(body) != 100_000 || err != nil {
		t.Fatalf("%d bytes, %v", len(body), err)
	}
	select {
	case r := <-l.given:
		limited, ok := r.(*io.LimitedReader)
		if !ok {
			t.Fatalf("ReadFrom was given %T, for which net has no sendfile", r)
		}
		if _, ok := limited.R.(*os.File); !ok {
			t.Errorf("ReadFrom was given a part of %T, for which net has no sendfile", limited.R)
		}
	default:
		t.Error("the connection's ReadFrom was not called")
	}
}

// What is no file, or part of no file, is copied in a way that survives a slow client.
func TestReadFromOthers(t *testing.T) {
	l := spying{listen(t), make(chan io.Reader, 10)}
	c := dial(t, l)
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	tr := &transport{Conn: accepted, sendTimeout: bound}
	for _, source := range []io.Reader{strings.NewReader("knock"), io.LimitReader(strings.NewReader("knock!"), 5), struct{ io.Reader }{strings.NewReader("knock")}} {
		if n, err := tr.ReadFrom(source); n != 5 || err != nil {
			t.Errorf("%T: %d, %v", source, n, err)
		}
	}
	accepted.Close()
	if got, err := io.ReadAll(c); string(got) != "knockknockknock" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if len(l.given) > 0 {
		t.Errorf("%T was left to the connection's own ReadFrom", <-l.given)
	}
}
