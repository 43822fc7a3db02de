package serve

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"
)

// Without this limit a client that asks for large files and never reads them ties up memory and descriptors for ever.
func TestClientsThatTakeNothingAreCutOff(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		ask  func(t *testing.T, a *activator)
	}{
		{"HTTP/1.1", func(t *testing.T, a *activator) { dial(t, a.http).send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n") }},
		{"HTTP/1.1 over TLS", func(t *testing.T, a *activator) {
			dialTLS(t, a.https, a.pool).send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
		}},
		{"HTTP/2 that grants no window", func(t *testing.T, a *activator) {
			h2 := dialHTTP2(t, a.https, a.pool, 0)
			h2.get(1, "/large")
			go io.Copy(io.Discard, h2) // it reads, and still takes nothing
		}},
		{"HTTP/2 that does not read", func(t *testing.T, a *activator) {
			h2 := dialHTTP2(t, a.https, a.pool, 1<<30)
			h2.allow(0, 1<<30)
			h2.get(1, "/large")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := newActivator(t)
			size := a.large("large")
			p := a.start("--send-timeout", "1s", "--log-level", "info", "--log-format", "logfmt")
			begun := time.Now()
			c.ask(t, a)
			line := p.Stderr.WaitFor(`uri=/large status=200 bytes=(\d+) .*aborted=true`, limit)
			lasted(t, begun, time.Second)
			if line[1] == fmt.Sprint(size) {
				t.Errorf("all of the file was sent: the client took it after all")
			}
		})
	}
}

// Without this a user on a thin line could never finish a long download.
func TestSlowReadersAreNotCutOff(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		dial func(*testing.T, *activator) *http1Conn
	}{
		{"plain", func(t *testing.T, a *activator) *http1Conn { return dial(t, a.http) }},
		{"TLS", func(t *testing.T, a *activator) *http1Conn { return dialTLS(t, a.https, a.pool) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := newActivator(t)
			size := a.large("large")
			p := a.start("--send-timeout", "1s", "--log-level", "info", "--log-format", "logfmt")
			conn := c.dial(t, a)
			conn.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
			reply := conn.head()
			if reply.StatusCode != http.StatusOK {
				t.Fatalf("status %d", reply.StatusCode)
			}
			// Slow for six time limits, never silent for one, and then all the rest at once.
			taken, begun := int64(0), time.Now()
			for every := time.NewTicker(10 * time.Millisecond); time.Since(begun) < 6*time.Second; <-every.C {
				taken += read(t, reply.Body, 8<<10)
			}
			t.Logf("took %d bytes slowly", taken)
			conn.SetDeadline(time.Now().Add(limit))
			rest, err := io.Copy(io.Discard, reply.Body)
			if err != nil || taken+rest != size {
				t.Errorf("got %d of %d bytes: %v", taken+rest, size, err)
			}
			p.Stderr.WaitFor(`uri=/large status=200 .*\n`, limit)
		})
	}
}

// read takes so many bytes.
func read(t testing.TB, r io.Reader, n int64) int64 {
	t.Helper()
	if m, err := io.CopyN(io.Discard, r, n); err != nil {
		t.Fatalf("read %d of %d bytes: %v", m, n, err)
	}
	return n
}

// Without this an HTTP/2 client that grants its window little by little would be cut off as if it granted none.
func TestSlowHTTP2WindowsAreNotCutOff(t *testing.T) {
	t.Parallel()
	a := newActivator(t)
	a.large("large")
	p := a.start("--send-timeout", "1s")
	c := dialHTTP2(t, a.https, a.pool, 0)
	c.get(1, "/large")
	for total := 16 << 10; total <= 240<<10; total += 16 << 10 { // 15 times 200 ms are three time limits; the program writes 32 KiB at a time
		time.Sleep(200 * time.Millisecond)
		c.allow(1, 16<<10)
		c.allow(0, 16<<10)
		c.receive(1, total)
	}
	c.send(frame{kind: frameReset, stream: 1, payload: binary.BigEndian.AppendUint32(nil, 0x8)}) // CANCEL
	c.Close()
	exit(t, endOf(p), 0)
}
