package http2

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/rouse-server/rouse/server/reply"
)

// FuzzFrames gives a connection frames made of arbitrary bytes. It must not panic, must stay within its bounds, must write only
// what HTTP/2 allows, and must go on and answer where x/net/http2 does.
func FuzzFrames(f *testing.F) {
	const get, post, end = "\x82\x84\x86\x41\x01x", "\x83\x84\x86\x41\x01x", byte(flagEndHeaders)
	add := func(parts ...string) { f.Add([]byte(strings.Join(parts, ""))) }
	add(fuzzed(frameHeaders, end|flagEndStream, 1, get))
	add(fuzzed(frameHeaders, end, 1, post), fuzzed(frameData, 0, 1, "body"), fuzzed(frameData, flagEndStream|flagPadded, 1, "\x02rest\x00\x00"))
	add(fuzzed(frameHeaders, flagEndStream, 1, get[:2]), fuzzed(frameContinuation, end, 1, get[2:]))
	add(fuzzed(frameHeaders, end|flagPriority|flagEndStream, 1, "\x00\x00\x00\x03\x10"+get), fuzzed(framePriority, 0, 5, "\x00\x00\x00\x05\x10"))
	add(fuzzed(frameSettings, 0, 0, "\x00\x04\x00\x00\x00\x00"), fuzzed(frameHeaders, end|flagEndStream, 1, get), fuzzed(frameWindowUpdate, 0, 1, "\x00\x00\x00\x01"))
	add(fuzzed(frameHeaders, end, 1, post), fuzzed(frameReset, 0, 1, "\x00\x00\x00\x08"), fuzzed(frameHeaders, end|flagEndStream, 3, get))
	add(fuzzed(frameHeaders, end, 1, post), fuzzed(frameHeaders, end|flagEndStream, 1, "\x40\x01a\x01b"))
	add(fuzzed(framePing, 0, 0, "12345678"), fuzzed(frameGoAway, 0, 0, "\x00\x00\x00\x00\x00\x00\x00\x00"), fuzzed(0x42, 0xff, 7, "unknown"))
	add(fuzzed(frameSettings, 0, 0, "\x00\x01\x00\x00\x00\x00\x00\x05\x00\x00\x40\x00"), fuzzed(frameHeaders, end|flagEndStream, 1, "\x82\x84\x86\x40\x0aconnection\x05close"))
	buffers := new(Buffers) // what one connection leaves in them comes to the next
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 32<<10 {
			return
		}
		input := framesOf(b)
		ours := runEngine(t, input, buffers)
		theirs := runReference(t, input, ours)
		compareRuns(t, input, ours, theirs)
	})
}

// fuzzed is a frame as FuzzFrames takes it: two bytes of length, then type, flags, stream and payload.
func fuzzed(kind frameType, flags byte, stream byte, payload string) string {
	return string([]byte{byte(len(payload) >> 8), byte(len(payload)), byte(kind), flags, stream}) + payload
}

// framesOf makes frames of arbitrary bytes: whole ones, of any content.
func framesOf(b []byte) (frames []byte) {
	for len(b) >= 5 {
		n := min((int(b[0])<<8|int(b[1]))%(maxFrame+2), len(b)-5)
		kind := b[2]
		if kind > 0x20 { // the known ones are worth more
			kind %= 0xa
		}
		frames = append(appendFrame(frames, n, frameType(kind), b[3], uint32(b[4])), b[5:5+n]...)
		b = b[5+n:]
	}
	return frames
}

// run is what came of an input.
type run struct {
	err     error // that ended the connection
	replies map[uint32]*outcome
}

func fuzzHandler(w http.ResponseWriter, r *http.Request) {
	n, _ := io.Copy(io.Discard, r.Body)
	fmt.Fprint(w, r.Method, " ", r.URL.Path, " ", n)
}

// runEngine gives the input to a connection, and checks what that writes.
func runEngine(t *testing.T, input []byte, buffers *Buffers) run {
	kept := rendered(t, []byte("kept"), false)
	o := handled(fuzzHandler)
	o.Buffers = buffers
	o.MaxStreams, o.MaxHeaderBytes = 10, 8<<10
	o.Repeat = func(r *reply.Request) *reply.Reply {
		if len(r.Target)%2 == 0 {
			return kept
		}
		return nil
	}
	out := &tank{arrived: make(chan struct{}, 1)}
	c := New(&o, out)
	r := &rig{t: t, tank: out, c: c}
	r.sent.b = append(beginning(), input...)
	err := r.push()
	c.mu.Lock()
	if n := len(c.streams); n > 10 || c.running > 10 || len(c.unbegun) > 50 {
		t.Errorf("%d streams, %d handlers, %d wait", n, c.running, len(c.unbegun))
	}
	c.mu.Unlock()
	settled(t, c)
	all := r.frames()
	c.Sweep(time.Now())
	c.Close()
	awaitHandlers(t, c)
	checkLegal(t, all, err)
	return run{err, repliesOf(t, all)}
}

// beginning is what a client says first.
func beginning() []byte {
	var b bytes.Buffer
	b.WriteString(preface)
	http2.NewFramer(&b, nil).WriteSettings()
	return b.Bytes()
}

// settled waits until no handler does anything but wait for the client.
func settled(t testing.TB, c *Conn) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Microsecond) {
		c.mu.Lock()
		busy := 0
		for _, s := range c.streams {
			if s.ended && !slices.Contains(c.waiting, s) {
				busy++
			}
		}
		c.mu.Unlock()
		if busy == 0 {
			return
		}
	}
	t.Error("a request that has ended is not answered")
}

// repliesOf sorts frames by their streams.
func repliesOf(t testing.TB, frames []http2.Frame) map[uint32]*outcome {
	t.Helper()
	replies := map[uint32]*outcome{}
	w := &wire{}
	w.decoder = hpack.NewDecoder(tableSize, nil)
	for _, f := range frames {
		id := f.Header().StreamID
		if id == 0 {
			continue
		}
		if replies[id] == nil {
			replies[id] = &outcome{}
		}
		w.take(replies[id], id, f)
	}
	return replies
}

// checkLegal holds the frames of a server against RFC 9113. Header blocks are short here.
func checkLegal(t *testing.T, frames []http2.Frame, err error) {
	t.Helper()
	ended, headed := map[uint32]bool{}, map[uint32]bool{}
	for i, f := range frames {
		h := f.Header()
		settings, ok := f.(*http2.SettingsFrame)
		switch {
		case i == 0 && (!ok || settings.IsAck()):
			t.Errorf("the first frame is %v", h)
		case h.Length > maxFrame, h.StreamID%2 == 0 && h.StreamID != 0 && h.Type != http2.FrameRSTStream:
			t.Errorf("%v", h)
		}
		switch f := f.(type) {
		case *http2.HeadersFrame:
			if ended[h.StreamID] {
				t.Errorf("%v after the end of its stream", h)
			}
			headed[h.StreamID], ended[h.StreamID] = true, f.StreamEnded()
		case *http2.DataFrame:
			if ended[h.StreamID] || !headed[h.StreamID] {
				t.Errorf("%v outside of a reply", h)
			}
			ended[h.StreamID] = f.StreamEnded()
		case *http2.RSTStreamFrame:
			ended[h.StreamID] = true
		case *http2.WindowUpdateFrame:
			if f.Increment == 0 {
				t.Errorf("%v by nothing", h)
			}
		case *http2.GoAwayFrame:
			if last := i == len(frames)-1; f.ErrCode != http2.ErrCodeNo && (!last || f.ErrCode.String() != codeOf(err)) {
				t.Errorf("%v, but the connection ended by %v", f, err)
			}
		case *http2.SettingsFrame, *http2.PingFrame:
		default:
			t.Errorf("the server sends %v", h)
		}
	}
}
