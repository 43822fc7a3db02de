package http2

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// Replies that are long share the connection, and never fill the output beyond its limit.
func TestFair(t *testing.T) {
	t.Parallel()
	const size = 1 << 20
	writes := handled(func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, size)) })
	for name, o := range map[string]Options{"repeat": repeating(t, make([]byte, size)), "handler": writes} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, o, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 24})
			r.tank.hold()
			got := map[uint32]int{}
			for range 4 {
				got[r.open(get("/"), true)] = 0
			}
			if err := r.push(); err != nil {
				t.Fatal(err)
			}
			spread := 0
			for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
				for _, f := range r.frames() {
					if d, ok := f.(*http2.DataFrame); ok {
						got[d.StreamID] += len(d.Data())
					}
				}
				if n := r.tank.Queued(); n > mostQueued+2*mostAtOnce {
					t.Fatalf("%d bytes are queued", n)
				}
				least, most, sum := size, 0, 0
				for _, n := range got {
					least, most, sum = min(least, n), max(most, n), sum+n
				}
				if spread = max(spread, most-least); sum == 4*size {
					break
				}
				r.tank.let()
				r.tank.hold()
				r.c.Sent()
			}
			for stream, n := range got {
				if n != size {
					t.Errorf("stream %d gets %d bytes", stream, n)
				}
			}
			if limit := 3 * maxFrame; name == "repeat" && spread > limit {
				t.Errorf("one stream is %d bytes ahead of another", spread)
			}
			r.tank.let()
		})
	}
}

// A body may be as long as it likes: what the handler reads is given back, and no more is taken than fits.
func TestUpload(t *testing.T) {
	t.Parallel()
	const size = 3 << 20
	address := listen(t, handled(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if n != size || err != nil {
			http.Error(w, "short", http.StatusBadRequest)
		}
	}))
	client := &http.Client{Transport: &http.Transport{Protocols: new(http.Protocols)}}
	client.Transport.(*http.Transport).Protocols.SetUnencryptedHTTP2(true)
	defer client.CloseIdleConnections()
	for range 3 {
		answer, err := client.Post("http://"+address+"/", "", strings.NewReader(strings.Repeat("x", size)))
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Error(answer.Status)
		}
	}

	r := newRig(t, blocking())
	stream := r.open(get("/"), false)
	for range 4 {
		r.WriteData(stream, false, make([]byte, maxFrame))
	}
	if err := r.push(); err != nil || len(r.frames()) != 0 {
		t.Fatalf("a body as long as the window: %v", err)
	}
	r.WriteData(stream, false, []byte("x"))
	if err := r.push(); err != nil {
		t.Fatal(err)
	}
	if o := r.await(stream); o.end != "RST_STREAM FLOW_CONTROL_ERROR" {
		t.Errorf("a body longer than its window gets %v", o)
	}
}

// All that bodies took of the connection's window comes back, whatever becomes of them.
func TestWindowComesBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, handled(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/read":
			io.Copy(io.Discard, r.Body)
		case "/part":
			io.ReadFull(r.Body, make([]byte, 10))
		case "/close":
			r.Body.Close()
		case "/wait":
			<-r.Context().Done()
		}
	}))
	left := connWindow
	for i := range 400 {
		path := []string{"/read", "/part", "/close", "/wait", "/ignore"}[i%5]
		stream := r.open(get(path), false)
		for range 3 {
			r.WriteDataPadded(stream, false, make([]byte, 10_000), make([]byte, 200))
		}
		left -= 3 * 10_201
		switch i % 5 {
		case 3:
			r.WriteRSTStream(stream, http2.ErrCodeCancel)
			r.WriteData(stream, true, make([]byte, 100))
			left -= 100
		default:
			r.WriteData(stream, true, nil)
		}
		if err := r.push(); err != nil {
			t.Fatalf("request %d, %s: %v", i, path, err)
		}
		awaitHandlers(t, r.c)
		for _, f := range r.frames() {
			if u, ok := f.(*http2.WindowUpdateFrame); ok && u.StreamID == 0 {
				left += int(u.Increment)
			}
		}
		if left < connWindow/2-40_000 {
			t.Fatalf("after %d requests %d bytes of the window are left", i, left)
		}
	}
}
