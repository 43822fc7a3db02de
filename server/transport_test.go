package server

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// payload is so many bytes of which none repeats soon, so that a missing or doubled part shows.
func payload(size int) []byte {
	b := make([]byte, size)
	rand.NewChaCha8([32]byte{}).Read(b)
	return b
}

// A slow client that takes little by little is served to the end, however long it takes, and gets every byte once.
func TestTransportSlowReader(t *testing.T) {
	for name, send := range map[string]func(*transport, []byte) (int64, error){
		"Write": func(tr *transport, b []byte) (int64, error) {
			n, err := tr.Write(b)
			return int64(n), err
		},
		"ReadFrom": func(tr *transport, b []byte) (int64, error) {
			return tr.ReadFrom(io.LimitReader(bytes.NewReader(b), int64(len(b))))
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			near, far := net.Pipe()
			sent := payload(50_000)
			var got []byte
			read := make(chan error, 1)
			go func() {
				var err error
				for b := make([]byte, 1000); err == nil; time.Sleep(3 * time.Second) {
					var n int
					n, err = far.Read(b)
					got = append(got, b[:n]...)
				}
				read <- err
			}()
			begun := time.Now()
			n, err := send(&transport{Conn: near, sendTimeout: 5 * time.Second}, sent)
			if n != int64(len(sent)) || err != nil {
				t.Errorf("%s: %d of %d bytes, %v", name, n, len(sent), err)
			}
			near.Close()
			<-read
			if !bytes.Equal(got, sent) {
				t.Errorf("%s: the client got other bytes than were sent", name)
			}
			if time.Since(begun) < time.Minute {
				t.Errorf("%s: it took only %s", name, time.Since(begun))
			}
		})
	}
}

// A client that takes nothing for the send timeout is given up: nobody holds a connection by doing nothing.
func TestTransportStalledReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		tr := &transport{Conn: near, sendTimeout: 5 * time.Second}
		go io.CopyN(io.Discard, far, 100)
		begun := time.Now()
		n, err := tr.Write(make([]byte, 1000))
		if n != 100 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%d bytes, %v", n, err)
		}
		// The timeout in which the 100 bytes went, and one in which nothing did.
		if took := time.Since(begun); took != 10*time.Second {
			t.Errorf("it was given up after %s", took)
		}
	})
}

// A deadline set from above, such as crypto/tls's for its farewell, is kept even where the client makes progress.
func TestTransportDeadlineFromAbove(t *testing.T) {
	for name, set := range map[string]func(*transport, time.Time) error{
		"SetWriteDeadline": (*transport).SetWriteDeadline,
		"SetDeadline":      (*transport).SetDeadline,
	} {
		synctest.Test(t, func(t *testing.T) {
			near, far := net.Pipe()
			defer far.Close()
			tr := &transport{Conn: near, sendTimeout: 5 * time.Second}
			ended := make(chan bool)
			go func() {
				defer close(ended)
				for b := make([]byte, 10); ; time.Sleep(time.Second) {
					if _, err := far.Read(b); err != nil {
						return
					}
				}
			}()
			begun := time.Now()
			if err := set(tr, begun.Add(7*time.Second)); err != nil {
				t.Fatal(err)
			}
			if _, err := tr.Write(make([]byte, 1000)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begun) != 7*time.Second {
				t.Errorf("%s: %v after %s", name, err, time.Since(begun))
			}
			if err := set(tr, time.Time{}); err != nil {
				t.Fatal(err)
			}
			if n, err := tr.Write(make([]byte, 100)); n != 100 || err != nil {
				t.Errorf("%s: after it was taken back: %d, %v", name, n, err)
			}
			near.Close()
			<-ended
		})
	}
}

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

// Before the server leaves it sees the request, and the end, that waits on a connection; the wrappers hide neither.
func TestTransportReadable(t *testing.T) {
	near, far := tcpPair(t)
	tr := &transport{Conn: wrapped{wrapped{near}}}
	if tr.readable() {
		t.Error("something is said to wait")
	}
	far.Write([]byte("x"))
	eventually(t, "a byte is seen", tr.readable)
	io.ReadFull(near, make([]byte, 1))
	if tr.readable() {
		t.Error("the byte that was read is said to wait")
	}
	far.Close()
	eventually(t, "the end is seen", tr.readable)
	pipe, _ := net.Pipe()
	if (&transport{Conn: pipe}).readable() {
		t.Error("a connection without descriptor is said to have something")
	}
	near.Close()
	if tr.readable() {
		t.Error("a closed connection is said to have something")
	}
}

// wrapped is a connection in another, as activation's single connection is.
type wrapped struct{ net.Conn }

func (w wrapped) NetConn() net.Conn { return w.Conn }
