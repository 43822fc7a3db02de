package server

import (
	"net"
	"net/http"
	"runtime"
	"slices"
	"testing"
	"time"
	"weak"
)

// What closed connections held is free as soon as they are gone, not when the last one of all is: thousands may have come at once.
func TestClosedConnectionsAreFreed(t *testing.T) {
	noLeaks(t)
	w := build(t, saying("hello"), nil)
	l := listen(t)
	w.serve(t, Socket{Listener: l})
	come := func() net.Conn {
		c := dial(t, l)
		if asks(t, c, "/") != http.StatusOK {
			t.Fatal("no answer")
		}
		return c
	}
	stays := come()
	var visitors []net.Conn
	for range 20 {
		visitors = append(visitors, come())
	}
	var gone []weak.Pointer[connection]
	for _, c := range w.open() {
		if c.RemoteAddr().String() != stays.LocalAddr().String() {
			gone = append(gone, weak.Make(c))
		}
	}
	time.Sleep(3 * w.turn()) // so that the watch sees them; were it late, this could show nothing
	for _, c := range visitors {
		c.Close()
	}
	eventually(t, "they are closed", func() bool { return w.Open() == 1 })
	eventually(t, "nothing holds them", func() bool {
		runtime.GC()
		return !slices.ContainsFunc(gone, func(one weak.Pointer[connection]) bool { return one.Value() != nil })
	})
}
