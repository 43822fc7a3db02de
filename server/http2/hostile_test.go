package http2

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/rouse-server/rouse/server/reply"
)

// Each is an attack, by as many frames as it takes to be noticed: the connection must end, and with which code.
func TestFloods(t *testing.T) {
	t.Parallel()
	data := [8]byte{}
	for _, one := range []struct {
		name  string
		holds bool // the client reads nothing
		flood func(r *rig)
		want  string
	}{
		{"PING that are not read", true, func(r *rig) { r.WritePing(false, data) }, "ENHANCE_YOUR_CALM"},
		{"PING", false, func(r *rig) { r.WritePing(false, data) }, "ENHANCE_YOUR_CALM"},
		{"SETTINGS", false, func(r *rig) { r.WriteSettings() }, "ENHANCE_YOUR_CALM"},
		{"PRIORITY", false, func(r *rig) { r.WritePriority(1, http2.PriorityParam{StreamDep: 3}) }, "ENHANCE_YOUR_CALM"},
		{"unknown frames", false, func(r *rig) { r.WriteRawFrame(0xbe, 0, 0, nil) }, "ENHANCE_YOUR_CALM"},
		{"empty DATA", false, func(r *rig) {
			if r.next == 1 {
				r.open(get("/"), false)
			}
			r.WriteData(1, false, nil)
		}, "ENHANCE_YOUR_CALM"},
		{"DATA on a closed stream", false, func(r *rig) {
			if r.next == 1 {
				r.open(get("/"), false)
				r.WriteRSTStream(1, http2.ErrCodeCancel)
			}
			r.WriteData(1, false, []byte("x"))
		}, "ENHANCE_YOUR_CALM"},
		{"tiny windows", false, func(r *rig) { r.WriteWindowUpdate(0, 1) }, "ENHANCE_YOUR_CALM"},
		{"RST_STREAM", false, func(r *rig) {
			if r.next == 1 {
				r.open(get("/"), true)
			}
			r.WriteRSTStream(1, http2.ErrCodeCancel)
		}, "ENHANCE_YOUR_CALM"},
		{"rapid reset", false, func(r *rig) { r.WriteRSTStream(r.open(get("/"), true), http2.ErrCodeCancel) }, "ENHANCE_YOUR_CALM"},
		{"CONTINUATION", false, func(r *rig) {
			if r.next == 1 {
				r.next = 3
				r.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: r.encode(get("/"))})
			}
			r.WriteContinuation(1, false, nil)
		}, "ENHANCE_YOUR_CALM"},
		{"a header block without end", false, func(r *rig) {
			if r.next == 1 {
				r.next = 3
				r.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: r.encode(get("/"))})
			}
			r.WriteContinuation(1, false, r.encode(pairs("x-a", strings.Repeat("a", 10_000))))
		}, "PROTOCOL_ERROR"},
		{"streams beyond the limit, with refusals that are not read", true, func(r *rig) { r.open(get("/"), true) }, "ENHANCE_YOUR_CALM"},
	} {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			stay := make(chan struct{})
			defer close(stay)
			r := newRig(t, handled(func(http.ResponseWriter, *http.Request) { <-stay }))
			if one.holds {
				r.tank.hold()
			}
			var err error
			for i := 0; i < 50_000 && err == nil; i++ {
				one.flood(r)
				err = r.push()
			}
			if got := codeOf(err); got != one.want {
				t.Errorf("the connection ends with %s, want %s", got, one.want)
			}
			select {
			case <-r.c.Done():
			default:
				t.Error("it is not done")
			}
		})
	}
}

// A header bomb: small references to a large entry of the table. The list is bounded, not what was received.
func TestHeaderBomb(t *testing.T) {
	t.Parallel()
	r := newRig(t, blocking())
	r.open(get("/", "x-a", strings.Repeat("a", 3900)), true)
	fields := get("/")
	for range 200 {
		fields = append(fields, pairs("x-a", strings.Repeat("a", 3900))...)
	}
	stream := r.open(fields, true)
	if err := r.push(); err != nil {
		t.Fatal(err)
	}
	if o := r.await(stream); o.status[0] != "431" || o.end != "END_STREAM" {
		t.Errorf("a header bomb gets %v", o)
	}
}

// A client that is slow to say what it wants is given up, and not before its time.
func TestSlowHeaders(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(r *rig){
		"a header block": func(r *rig) {
			r.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: r.encode(get("/"))})
			r.push()
		},
		"a frame": func(r *rig) { r.c.Receive([]byte{0, 0, 100, 1, 0, 0, 0, 0, 1, 0}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, blocking())
			if r.sweep(time.Hour) {
				t.Error("an idle connection is given up")
			}
			begin(r)
			if r.sweep(9 * time.Second) {
				t.Error("it is given up before its time")
			}
			if !r.c.Sweep(time.Now().Add(11 * time.Second)) {
				t.Error("it is not given up")
			}
		})
	}
	r := newRig(t, blocking())
	r.c.Receive([]byte{0, 0, 100, 0, 0, 0, 0, 0, 1, 0}) // DATA: the handler has its own time for that
	if r.sweep(time.Hour) {
		t.Error("a part of a body is taken for a header block")
	}
	o := blocking()
	c := New(&o, r.tank)
	c.Receive([]byte(preface[:10]))
	if now := time.Now(); c.Sweep(now) || !c.Sweep(now.Add(11*time.Second)) {
		t.Error("half a preface is waited for without end, or not at all")
	}
}

// A client that takes too little in the time of a limit loses the stream, not the connection; one that takes enough keeps it. It is the
// stream's window, or the connection's, that it opens by so little.
func TestSlowWindows(t *testing.T) {
	t.Parallel()
	writes := handled(func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 10_000)) })
	for name, o := range map[string]Options{"repeat": repeating(t, make([]byte, 10_000)), "handler": writes} {
		for of, initial := range map[string]uint32{"stream": 0, "connection": 1 << 20} {
			t.Run(name+" "+of, func(t *testing.T) {
				t.Parallel()
				aborted := make(chan bool, 2)
				o.Repeated = func(_ *reply.Request, _ *reply.Reply, n int64, _ time.Time, a bool) { aborted <- a && n == 199 }
				o.LowestRate = 10 // 100 bytes in the 10 s of the rig
				r := newRig(t, o, http2.Setting{ID: http2.SettingInitialWindowSize, Val: initial})
				asked := r.open(get("/"), true)
				opens := asked
				if of == "connection" {
					r.c.window, opens = 0, 0
				}
				r.push()
				at := time.Now()
				pass := func(d time.Duration) {
					t.Helper()
					r.awaitWaiting()
					if at = at.Add(d); r.c.Sweep(at) {
						t.Fatal("the connection is given up")
					}
				}
				for _, taken := range []uint32{100, 99} {
					pass(0)
					pass(9 * time.Second)
					if !r.c.Busy() {
						t.Fatal("the stream is given up before its time")
					}
					r.WriteWindowUpdate(opens, taken)
					r.push()
					pass(time.Second)
				}
				if o := r.await(asked); o.end != "RST_STREAM CANCEL" || len(o.body) != 199 {
					t.Errorf("it gets %d bytes, %s", len(o.body), o.end)
				}
				if name == "repeat" && !<-aborted {
					t.Error("the reply is not told of as broken off")
				}
				if r.c.Busy() {
					t.Error("the stream is still there")
				}
			})
		}
	}
}

// awaitWaiting waits until a stream waits for a window.
func (r *rig) awaitWaiting() {
	r.t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		r.c.mu.Lock()
		n := len(r.c.waiting)
		r.c.mu.Unlock()
		if n > 0 {
			return
		}
		select {
		case <-r.tank.arrived:
		case <-time.After(time.Millisecond):
		}
	}
	r.t.Fatal("no stream waits")
}

// What a header block that was broken off has brought must not come to another connection, which may be another client's.
func TestBrokenBlocksAreForgotten(t *testing.T) {
	t.Parallel()
	o := handled(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Header) })
	for name, breakOff := range map[string]func(r *rig){
		"interrupted": func(r *rig) { r.WritePing(false, [8]byte{}) },
		"compression": func(r *rig) { r.WriteContinuation(1, true, []byte{0x80}) },
		"shutdown": func(r *rig) {
			r.WriteContinuation(1, true, nil)
			r.WriteGoAway(0, http2.ErrCodeNo, nil)
		},
	} {
		for range 20 { // sync.Pool does not always give back what it got
			first := newRig(t, o)
			first.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndStream: true, BlockFragment: first.encode(get("/", "secret", "x"))})
			breakOff(first)
			if err := first.push(); err == nil && name != "shutdown" {
				t.Fatalf("%s: the connection goes on", name)
			}
			next := newRig(t, o)
			stream := next.open(get("/"), true)
			next.push()
			if o := next.await(stream); o.body != "map[]" {
				t.Fatalf("%s: the next connection gets %v", name, o)
			}
		}
	}
}

// What a client may break off is bounded over time, whatever it asks for beside: each request has begun to be answered.
func TestBrokenOffRequests(t *testing.T) {
	t.Parallel()
	r := newRig(t, blocking())
	breakOff := func(n int) (err error) {
		for i := 0; i < n && err == nil; i++ {
			r.WriteRSTStream(r.open(get("/"), true), http2.ErrCodeCancel)
			err = r.push()
		}
		return err
	}
	if err := breakOff(mostBroken); err != nil {
		t.Fatalf("the first are too many: %v", err)
	}
	r.sweep(2 * time.Second)
	if err := breakOff(2 * brokenASecond); err != nil {
		t.Fatalf("two seconds later a few more are too many: %v", err)
	}
	if err := breakOff(1); codeOf(err) != "ENHANCE_YOUR_CALM" {
		t.Errorf("and then the connection ends with %s", codeOf(err))
	}
}

// Who grants no window costs little: the head is sent, and nothing read of the file.
func TestNothingIsReadForClosedWindows(t *testing.T) {
	t.Parallel()
	file, err := os.Create(filepath.Join(t.TempDir(), "large"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	const size = 1 << 20
	file.Truncate(size)
	r := newRig(t, handled(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "x/y")
		w.(io.ReaderFrom).ReadFrom(io.LimitReader(file, size))
	}), http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	stream := r.open(get("/"), true)
	r.push()
	r.awaitWaiting()
	if at, _ := file.Seek(0, io.SeekCurrent); at != 0 {
		t.Errorf("%d bytes are read for a client that takes none", at)
	}
	r.WriteWindowUpdate(stream, 10)
	r.push()
	r.awaitWaiting()
	r.WriteWindowUpdate(stream, size)
	r.push()
	if o := r.await(stream); o.status[0] != "200" || len(o.body) != size || o.end != "END_STREAM" {
		t.Errorf("it gets %v, %d bytes, %s", o.status, len(o.body), o.end)
	}
}

// A connection has a bounded number of handlers, and all of its requests are answered in their turn.
func TestHandlersOfAConnectionAreBounded(t *testing.T) {
	t.Parallel()
	var running, most, answered atomic.Int64
	stay := make(chan struct{})
	r := newRig(t, handled(func(http.ResponseWriter, *http.Request) {
		now := running.Add(1)
		for before := most.Load(); now > before && !most.CompareAndSwap(before, now); before = most.Load() {
		}
		<-stay
		running.Add(-1)
		answered.Add(1)
	}))
	const asked = 3 * mostRunning
	for range asked {
		r.open(get("/"), true)
	}
	if err := r.push(); err != nil {
		t.Fatal(err)
	}
	close(stay)
	for end := time.Now().Add(10 * time.Second); answered.Load() < asked; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d of %d requests are answered", answered.Load(), asked)
		}
	}
	if got := most.Load(); got > mostRunning {
		t.Errorf("%d handlers ran at once", got)
	}
}

// All connections together have a bounded number of handlers beside one for each; who has none of those goes on with its one.
func TestHandlersOfAllConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	var running, most atomic.Int64
	step := make(chan struct{})
	o := handled(func(http.ResponseWriter, *http.Request) {
		now := running.Add(1)
		for before := most.Load(); now > before && !most.CompareAndSwap(before, now); before = most.Load() {
		}
		<-step
		running.Add(-1)
	})
	o.Extra = new(atomic.Int64)
	o.Extra.Store(5)
	const asked, connections = 20, 3
	var rigs []*rig
	for range connections {
		r := newRig(t, o)
		for range asked {
			r.open(get("/"), true)
		}
		if err := r.push(); err != nil {
			t.Fatal(err)
		}
		rigs = append(rigs, r)
	}
	for end := time.Now().Add(10 * time.Second); running.Load() < connections+5; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d handlers run at once", running.Load())
		}
	}
	for range asked * connections {
		step <- struct{}{}
	}
	for _, r := range rigs {
		awaitHandlers(t, r.c)
	}
	if got := most.Load(); got != connections+5 {
		t.Errorf("%d handlers ran at once", got)
	}
	if left := o.Extra.Load(); left != 5 {
		t.Errorf("%d may run beside one of each connection afterwards", left)
	}
}

// What brings nothing is bounded over time, too.
func TestUselessFrames(t *testing.T) {
	t.Parallel()
	r := newRig(t, blocking())
	pings := func(n int) (err error) {
		for i := 0; i < n && err == nil; i++ {
			r.WritePing(false, [8]byte{})
			err = r.push()
		}
		return err
	}
	if err := pings(mostUseless - 1); err != nil { // the first SETTINGS was one
		t.Fatalf("the first are too many: %v", err)
	}
	r.sweep(2 * time.Second)
	if err := pings(2 * uselessASecond); err != nil {
		t.Fatalf("two seconds later a few more are too many: %v", err)
	}
	if err := pings(1); codeOf(err) != "ENHANCE_YOUR_CALM" {
		t.Errorf("and then the connection ends with %s", codeOf(err))
	}
}

// A request that was answered before it was broken off has made as much work as another one.
func TestAnsweredAndBrokenOff(t *testing.T) {
	t.Parallel()
	r := newRig(t, repeating(t, []byte("x")))
	var err error
	for i := 0; i <= mostBroken && err == nil; i++ {
		r.WriteRSTStream(r.open(get("/"), true), http2.ErrCodeCancel)
		err = r.push()
	}
	if codeOf(err) != "ENHANCE_YOUR_CALM" {
		t.Errorf("the connection ends with %s", codeOf(err))
	}
}

// Who takes nothing is rid of all streams at once, also of those whose turn has not come.
func TestRequestsThatWaitForTheirTurn(t *testing.T) {
	t.Parallel()
	o := handled(func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 10_000)) })
	o.Extra = new(atomic.Int64) // one at a time
	r := newRig(t, o, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1})
	for range 100 {
		r.open(get("/"), true)
	}
	r.push()
	r.awaitWaiting()
	now := time.Now()
	r.c.Sweep(now)
	if r.c.Sweep(now.Add(9*time.Second)) || !r.c.Busy() {
		t.Error("they are given up before their time")
	}
	if r.c.Sweep(now.Add(11*time.Second)) || r.c.Busy() {
		t.Errorf("%d streams are left", len(r.c.streams))
	}
}
