package server

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"syscall"
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
			n, err := send(&transport{Conn: near, sendTimeout: 7 * time.Second}, sent)
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

// A client that takes nothing, or almost nothing, for the send timeout is given up: nobody holds a connection by doing nothing.
func TestTransportStalledReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		tr := &transport{Conn: near, sendTimeout: 5 * time.Second}
		enough := int64(5 * lowestRate)
		go func() {
			io.CopyN(io.Discard, far, enough)
			time.Sleep(6 * time.Second)
			io.CopyN(io.Discard, far, enough-1)
		}()
		begun := time.Now()
		n, err := tr.Write(make([]byte, 3*enough))
		if int64(n) != 2*enough-1 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%d bytes, %v", n, err)
		}
		// The timeout in which enough went, and one in which a byte less did.
		if took := time.Since(begun); took != 10*time.Second {
			t.Errorf("it was given up after %s", took)
		}
	})
}

// What a client that was given up has not taken is not kept for it: the connection ends with a reset, behind which the kernel holds
// nothing more. One that has taken something gets the rest.
func TestTransportForsakes(t *testing.T) {
	for name, stalls := range map[string]bool{"stalled": true, "slow": false} {
		near, far := tcpPair(t)
		tr := &transport{Conn: wrapped{near}, sendTimeout: 200 * time.Millisecond}
		sent := 32 << 20 // more than both ends hold
		ended := make(chan error, 1)
		if !stalls {
			sent = 64 << 10
		}
		go func() {
			_, err := tr.Write(make([]byte, sent))
			near.Close()
			ended <- err
		}()
		if err := <-ended; errors.Is(err, os.ErrDeadlineExceeded) != stalls {
			t.Errorf("%s: sending ends with %v", name, err)
		}
		far.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.Copy(io.Discard, far); errors.Is(err, syscall.ECONNRESET) != stalls {
			t.Errorf("%s: the client gets %v", name, err)
		}
	}
}

// A client that sends on and on still gets what it was told before it is left.
func TestPartFromFlood(t *testing.T) {
	near, far := tcpPair(t)
	far.SetReadBuffer(4 << 10)
	c := &connection{Conn: near, transport: &transport{Conn: near, sendTimeout: 5 * time.Second}}
	told := payload(40 << 10)
	go func() {
		for b := make([]byte, 64<<10); ; {
			if _, err := far.Write(b); err != nil {
				return
			}
		}
	}()
	if _, err := c.transport.Write(told); err != nil {
		t.Fatal(err)
	}
	left := make(chan struct{})
	go func() {
		defer close(left)
		c.part()
		near.Close()
	}()
	select { // it is not left at once
	case <-left:
	case <-time.After(100 * time.Millisecond):
	}
	far.SetReadDeadline(time.Now().Add(10 * time.Second))
	got := make([]byte, len(told))
	if n, err := io.ReadFull(far, got); err != nil || !bytes.Equal(got, told) {
		t.Errorf("it gets %d of %d bytes, %v", n, len(told), err)
	}
	<-left
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
				for b := make([]byte, 2*lowestRate); ; time.Sleep(time.Second) {
					if _, err := far.Read(b); err != nil {
						return
					}
				}
			}()
			begun := time.Now()
			if err := set(tr, begun.Add(7*time.Second)); err != nil {
				t.Fatal(err)
			}
			if _, err := tr.Write(make([]byte, 100*lowestRate)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begun) != 7*time.Second {
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

// A deadline is held against a clock that does not jump: with the time of day alone a clock that is set would end connections.
func TestTransportDeadlineKeepsItsClock(t *testing.T) {
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	tr := &transport{Conn: near, sendTimeout: time.Second}
	at := time.Now().Add(time.Minute)
	if err := tr.SetWriteDeadline(at); err != nil {
		t.Fatal(err)
	}
	if kept := *tr.deadline.Load(); kept != at || !strings.Contains(kept.String(), " m=") {
		t.Errorf("kept %s of %s", kept, at)
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
