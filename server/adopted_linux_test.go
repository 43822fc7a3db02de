package server

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A connection that was adopted is to this package what one of package net is.
func TestAdopted(t *testing.T) {
	noLeaks(t)
	near, far := adoptedPair(t)
	if io.WriteString(far, "hello"); !hears(near, "hello") {
		t.Error("it does not read")
	}
	near.SetReadDeadline(time.Now().Add(time.Millisecond))
	_, err := near.Read(make([]byte, 1))
	timeout, ok := errors.AsType[net.Error](err)
	if !ok || !timeout.Timeout() || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a passed deadline gives %v", err)
	}
	near.SetReadDeadline(time.Time{})
	if err := near.CloseWrite(); err != nil {
		t.Error(err)
	}
	if rest, err := io.ReadAll(far); len(rest) != 0 || err != nil {
		t.Errorf("after CloseWrite %q, %v", rest, err)
	}
	io.WriteString(far, "bye")
	far.Close()
	if got, err := io.ReadAll(near); string(got) != "bye" || err != nil {
		t.Errorf("the last words are %q, %v", got, err)
	}
	waiting := make(chan error)
	go func() {
		other, _ := adoptedPair(t)
		waiting <- other.Close()
		_, err := other.Read(make([]byte, 1))
		waiting <- err
		waiting <- other.Close()
		_, err = other.Write([]byte("x"))
		waiting <- err
		waiting <- other.SetDeadline(time.Time{})
	}()
	if err := <-waiting; err != nil {
		t.Errorf("Close gives %v", err)
	}
	for range 4 {
		if err := <-waiting; !errors.Is(err, net.ErrClosed) {
			t.Errorf("afterwards comes %v", err)
		}
	}
}

// Close ends a read that waits.
func TestAdoptedClosedWhileReading(t *testing.T) {
	near, _ := adoptedPair(t)
	ended := make(chan error)
	go func() {
		_, err := near.Read(make([]byte, 1))
		ended <- err
	}()
	near.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("it ended with %v", err)
	}
}

// adoptedPair is both ends of a TCP connection, of which the near one was adopted.
func adoptedPair(t testing.TB) (near *adopted, far *net.TCPConn) {
	t.Helper()
	l := listen(t)
	client := dial(t, l)
	nc := takeOne(t, batching(t, l))
	t.Cleanup(func() { nc.Close() })
	return nc.(*adopted), client.(*net.TCPConn)
}

// Files are sent from where they are read, to their end or as much as was asked for; a client that is slow, or that takes
// nothing, is noticed; and what is no file is copied.
func TestAdoptedReadFrom(t *testing.T) {
	sent := payload(9 << 20)
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	file.Write(sent)
	pipe, end, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	go func() {
		end.Write(sent)
		end.Close()
	}()
	whole := int64(len(sent))
	for name, source := range map[string]struct {
		from io.Reader
		want []byte
		at   int64
	}{
		"a file":           {file, sent, 0},
		"from the middle":  {file, sent[1<<20:], 1 << 20},
		"a part":           {io.LimitReader(file, 5<<20), sent[7 : 5<<20+7], 7},
		"to its end":       {io.LimitReader(file, 2*whole), sent, 0},
		"at its end":       {io.LimitReader(file, 10), nil, whole},
		"nothing":          {io.LimitReader(file, 0), nil, 0},
		"a pipe":           {io.LimitReader(pipe, whole), sent, 0},
		"from memory":      {io.LimitReader(bytes.NewReader(sent), whole), sent, 0},
		"any other reader": {struct{ io.Reader }{bytes.NewReader(sent)}, sent, 0},
	} {
		near, far := adoptedPair(t)
		file.Seek(source.at, io.SeekStart)
		go func() {
			n, err := near.ReadFrom(source.from)
			if part, ok := source.from.(*io.LimitedReader); n != int64(len(source.want)) || err != nil || ok && name == "a part" && part.N != 0 {
				t.Errorf("%s: %d bytes, %v", name, n, err)
			}
			near.Close()
		}()
		if got, err := io.ReadAll(far); !bytes.Equal(got, source.want) || err != nil {
			t.Errorf("%s: got %d bytes, %v", name, len(got), err)
		}
	}
	near, _ := adoptedPair(t)
	file.Seek(0, io.SeekStart)
	part := &io.LimitedReader{R: file, N: 1 << 40}
	for range 2 { // the first sends what fits, the second nothing
		near.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		n, err := near.ReadFrom(part)
		if timeout, ok := errors.AsType[net.Error](err); !ok || !timeout.Timeout() || part.N+n > 1<<40 {
			t.Errorf("to nobody %d bytes went, %v", n, err)
		}
	}
	if at, _ := file.Seek(0, io.SeekCurrent); at != 1<<40-part.N {
		t.Errorf("the file is at %d, and %d were sent", at, 1<<40-part.N)
	}
}

// The send timeout of a transport holds for files over an adopted connection, as over one of package net.
func TestAdoptedPausingReader(t *testing.T) {
	sent := payload(6 << 20)
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	file.Write(sent)
	file.Seek(0, io.SeekStart)
	near, far := adoptedPair(t)
	unix.SetsockoptInt(descriptorOf(t, near), unix.SOL_SOCKET, unix.SO_SNDBUF, 16<<10)
	far.SetReadBuffer(16 << 10)
	const timeout = 250 * time.Millisecond
	tr := &transport{Conn: near, sendTimeout: timeout}
	received := make(chan []byte, 1)
	go func() {
		var got bytes.Buffer
		io.CopyN(&got, far, 100<<10)
		time.Sleep(timeout * 5 / 4)
		io.Copy(&got, far)
		received <- got.Bytes()
	}()
	n, err := tr.ReadFrom(io.LimitReader(file, int64(len(sent))))
	near.Close()
	got := <-received
	if err == nil && (n != int64(len(sent)) || len(got) != len(sent)) || !bytes.HasPrefix(sent, got) {
		t.Errorf("sent %d bytes, %v; the client got %d, the beginning of the file: %t", n, err, len(got), bytes.HasPrefix(sent, got))
	}
}
