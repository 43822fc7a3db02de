package http2

import (
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// What a frame may not be ends the connection, and with the code that RFC 9113 §6 names. A stream is open, one is closed.
func TestWrongFrames(t *testing.T) {
	t.Parallel()
	const open, closed, idle = 1, 3, 9
	for name, one := range map[string]struct {
		send func(r *rig)
		want string
	}{
		"too long":                    {func(r *rig) { r.c.Receive([]byte{0, 0x40, 1, 0, 0, 0, 0, 0, 1}) }, "FRAME_SIZE_ERROR"},
		"DATA without stream":         {func(r *rig) { r.WriteData(0, false, nil) }, "PROTOCOL_ERROR"},
		"DATA, idle":                  {func(r *rig) { r.WriteData(idle, false, nil) }, "PROTOCOL_ERROR"},
		"DATA, server's stream":       {func(r *rig) { r.WriteData(2, false, nil) }, "PROTOCOL_ERROR"},
		"DATA, padding too long":      {func(r *rig) { r.WriteRawFrame(0, flagPadded, open, []byte{5, 0, 0}) }, "PROTOCOL_ERROR"},
		"DATA, padding missing":       {func(r *rig) { r.WriteRawFrame(0, flagPadded, open, nil) }, "FRAME_SIZE_ERROR"},
		"HEADERS without stream":      {func(r *rig) { r.headers(0, get("/"), true) }, "PROTOCOL_ERROR"},
		"HEADERS, server's stream":    {func(r *rig) { r.headers(2, get("/"), true) }, "PROTOCOL_ERROR"},
		"HEADERS, closed":             {func(r *rig) { r.headers(closed, get("/"), true) }, "PROTOCOL_ERROR"},
		"HEADERS, padding too long":   {func(r *rig) { r.WriteRawFrame(1, flagPadded|flagEndHeaders, 5, []byte{9, 0x82}) }, "PROTOCOL_ERROR"},
		"HEADERS, priority too short": {func(r *rig) { r.WriteRawFrame(1, flagPriority|flagEndHeaders, 5, []byte{0}) }, "FRAME_SIZE_ERROR"},
		"HEADERS, not HPACK":          {func(r *rig) { r.WriteRawFrame(1, flagEndHeaders, 5, []byte{0x80}) }, "COMPRESSION_ERROR"},
		"HEADERS, cut off":            {func(r *rig) { r.WriteRawFrame(1, flagEndHeaders, 5, []byte{0x40, 10}) }, "COMPRESSION_ERROR"},
		"HEADERS, table too large":    {func(r *rig) { r.WriteRawFrame(1, flagEndHeaders, 5, []byte{0x3f, 0xe2, 0x1f}) }, "COMPRESSION_ERROR"},
		"CONTINUATION first":          {func(r *rig) { r.WriteContinuation(5, true, nil) }, "PROTOCOL_ERROR"},
		"CONTINUATION, other stream":  {func(r *rig) { r.WriteRawFrame(1, 0, 5, nil); r.WriteContinuation(7, true, nil) }, "PROTOCOL_ERROR"},
		"HEADERS interrupted":         {func(r *rig) { r.WriteRawFrame(1, 0, 5, nil); r.WritePing(false, [8]byte{}) }, "PROTOCOL_ERROR"},
		"PRIORITY without stream":     {func(r *rig) { r.WriteRawFrame(2, 0, 0, make([]byte, 5)) }, "PROTOCOL_ERROR"},
		"PRIORITY, 4 bytes":           {func(r *rig) { r.WriteRawFrame(2, 0, open, make([]byte, 4)) }, "FRAME_SIZE_ERROR"},
		"RST_STREAM without stream":   {func(r *rig) { r.WriteRSTStream(0, 0) }, "PROTOCOL_ERROR"},
		"RST_STREAM, idle":            {func(r *rig) { r.WriteRSTStream(idle, 0) }, "PROTOCOL_ERROR"},
		"RST_STREAM, 3 bytes":         {func(r *rig) { r.WriteRawFrame(3, 0, open, make([]byte, 3)) }, "FRAME_SIZE_ERROR"},
		"SETTINGS on a stream":        {func(r *rig) { r.WriteRawFrame(4, 0, open, nil) }, "PROTOCOL_ERROR"},
		"SETTINGS, 5 bytes":           {func(r *rig) { r.WriteRawFrame(4, 0, 0, make([]byte, 5)) }, "FRAME_SIZE_ERROR"},
		"SETTINGS, ACK not empty":     {func(r *rig) { r.WriteRawFrame(4, flagAck, 0, make([]byte, 6)) }, "FRAME_SIZE_ERROR"},
		"SETTINGS, ACK for nothing":   {func(r *rig) { r.WriteSettingsAck(); r.WriteSettingsAck() }, "PROTOCOL_ERROR"},
		"SETTINGS, push":              {func(r *rig) { r.WriteSettings(http2.Setting{ID: settingEnablePush, Val: 2}) }, "PROTOCOL_ERROR"},
		"SETTINGS, window":            {func(r *rig) { r.WriteSettings(http2.Setting{ID: settingInitialWindow, Val: 1 << 31}) }, "FLOW_CONTROL_ERROR"},
		"SETTINGS, frames too small":  {func(r *rig) { r.WriteSettings(http2.Setting{ID: settingMaxFrame, Val: 16383}) }, "PROTOCOL_ERROR"},
		"SETTINGS, frames too large":  {func(r *rig) { r.WriteSettings(http2.Setting{ID: settingMaxFrame, Val: 1 << 24}) }, "PROTOCOL_ERROR"},
		"SETTINGS, a stream's window": {func(r *rig) {
			r.WriteWindowUpdate(open, maxWindow-firstWindow)
			r.WriteSettings(http2.Setting{ID: settingInitialWindow, Val: firstWindow + 1})
		}, "FLOW_CONTROL_ERROR"},
		"PUSH_PROMISE": {func(r *rig) {
			r.WritePushPromise(http2.PushPromiseParam{StreamID: open, PromiseID: 2, EndHeaders: true})
		}, "PROTOCOL_ERROR"},
		"PING on a stream":             {func(r *rig) { r.WriteRawFrame(6, 0, open, make([]byte, 8)) }, "PROTOCOL_ERROR"},
		"PING, 7 bytes":                {func(r *rig) { r.WriteRawFrame(6, 0, 0, make([]byte, 7)) }, "FRAME_SIZE_ERROR"},
		"GOAWAY on a stream":           {func(r *rig) { r.WriteRawFrame(7, 0, open, make([]byte, 8)) }, "PROTOCOL_ERROR"},
		"GOAWAY, 7 bytes":              {func(r *rig) { r.WriteRawFrame(7, 0, 0, make([]byte, 7)) }, "FRAME_SIZE_ERROR"},
		"WINDOW_UPDATE, idle":          {func(r *rig) { r.WriteWindowUpdate(idle, 1) }, "PROTOCOL_ERROR"},
		"WINDOW_UPDATE by nothing":     {func(r *rig) { r.WriteWindowUpdate(0, 0) }, "PROTOCOL_ERROR"},
		"WINDOW_UPDATE, 3 bytes":       {func(r *rig) { r.WriteRawFrame(8, 0, 0, make([]byte, 3)) }, "FRAME_SIZE_ERROR"},
		"WINDOW_UPDATE beyond 2^31-1":  {func(r *rig) { r.WriteWindowUpdate(0, maxWindow) }, "FLOW_CONTROL_ERROR"},
		"an unknown frame is nothing":  {func(r *rig) { r.WriteRawFrame(0xfa, 0xff, idle, []byte("x")) }, "none"},
		"a reserved bit means nothing": {func(r *rig) { r.c.Receive([]byte{0, 0, 4, 8, 0, 0x80, 0, 0, 1, 0x80, 0, 0, 1}) }, "none"},
		"PRIORITY, idle":               {func(r *rig) { r.WritePriority(idle, http2.PriorityParam{StreamDep: 1}) }, "none"},
		"WINDOW_UPDATE, closed":        {func(r *rig) { r.WriteWindowUpdate(closed, 1) }, "none"},
		"RST_STREAM, closed":           {func(r *rig) { r.WriteRSTStream(closed, 0) }, "none"},
		"SETTINGS twice the same": {func(r *rig) {
			r.WriteSettings(http2.Setting{ID: settingEnablePush, Val: 0}, http2.Setting{ID: settingEnablePush, Val: 1})
		}, "none"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := blocking()
			o.Repeat = repeating(t, []byte("x")).Repeat
			r := newRig(t, o)
			r.open(get("/"), false)
			r.open(get("/"), true)
			if err := r.push(); err != nil {
				t.Fatal(err)
			}
			r.frames()
			one.send(r)
			err := r.push()
			if err == nil {
				_, err = r.c.Receive(nil) // what was given directly
			}
			if got := codeOf(err); got != one.want {
				t.Fatalf("the connection ends with %s, want %s", got, one.want)
			}
			if err == nil {
				return
			}
			frames := r.frames()
			last, ok := frames[len(frames)-1].(*http2.GoAwayFrame)
			if !ok || last.ErrCode.String() != one.want || last.LastStreamID != closed {
				t.Errorf("the last frame is %v", frames[len(frames)-1])
			}
		})
	}
}

// The preface is checked byte by byte, as it comes, and nothing is said to who does not speak HTTP/2.
func TestPreface(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"GET / HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\rx", "x"} {
		o := blocking()
		out := &tank{}
		c := New(&o, out)
		if used, err := c.Receive([]byte(text)); used != 0 || codeOf(err) != "PROTOCOL_ERROR" || len(out.b) > 0 {
			t.Errorf("%q: %d, %v, %q", text, used, err, out.b)
		}
	}
	o := blocking()
	out := &tank{}
	c := New(&o, out)
	for n := range len(preface) {
		if used, err := c.Receive([]byte(preface[:n])); used != 0 || err != nil {
			t.Errorf("%q: %d, %v", preface[:n], used, err)
		}
	}
	var sent sink
	http2.NewFramer(&sent, nil).WritePing(false, [8]byte{})
	if used, err := c.Receive(append([]byte(preface), sent.b...)); used != len(preface)+len(sent.b) || codeOf(err) != "PROTOCOL_ERROR" {
		t.Errorf("PING instead of SETTINGS: %d, %v", used, err)
	}
}

// A client that makes its table smaller hears at the next header block that ours is not used (RFC 7541 §4.2).
func TestTableSize(t *testing.T) {
	t.Parallel()
	r := newRig(t, repeating(t, nil))
	for _, one := range []struct {
		size  uint32
		wants bool
	}{{8192, false}, {4096, true}, {0, true}, {0, false}, {4096, false}, {100, true}} {
		r.WriteSettings(http2.Setting{ID: http2.SettingHeaderTableSize, Val: one.size})
		for i := range 2 {
			r.open(get("/"), true)
			r.push()
			for _, f := range r.frames() {
				if h, ok := f.(*http2.HeadersFrame); ok {
					if got := h.HeaderBlockFragment()[0] == 0x20; got != (one.wants && i == 0) {
						t.Errorf("table of %d, reply %d: told %t", one.size, i, got)
					}
				}
			}
		}
	}
}

// Malformed requests end their stream alone.
func TestMalformed(t *testing.T) {
	t.Parallel()
	r := newRig(t, repeating(t, []byte("x")))
	plain := get("/")
	for name, fields := range map[string][]hpack.HeaderField{
		"no method":           plain[1:],
		"no path":             plain[:3],
		"two paths":           append(get("/"), pairs(":path", "/")...),
		"a status":            append(pairs(":status", "200"), plain...),
		"an unknown one":      append(pairs(":x", "y"), plain...),
		"a protocol":          append(pairs(":protocol", "websocket"), plain...),
		"behind fields":       append(pairs("a", "b"), plain...),
		"an upper case":       get("/", "Accept", "*/*"),
		"an empty name":       get("/", "", "x"),
		"a name with a space": get("/", "a b", "x"),
		"a NUL":               get("/", "a", "\x00"),
		"a line":              get("/", "a", "b\r\nc: d"),
		"an empty path":       get(""),
		"a path without root": get("x"),
		"another scheme":      pairs(":method", "GET", ":scheme", "file", ":authority", "x", ":path", "/"),
		"user information":    pairs(":method", "GET", ":scheme", "http", ":authority", "u@x", ":path", "/"),
		"CONNECT with a path": pairs(":method", "CONNECT", ":authority", "x", ":path", "/"),
	} {
		stream := r.open(fields, true)
		if err := r.push(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if o := r.await(stream); o.end != malformed {
			t.Errorf("%s: %v", name, o)
		}
	}
	stream := r.open(get("/", "x-a", strings.Repeat("a", 100)), true)
	r.push()
	if o := r.await(stream); o.body != "x" {
		t.Errorf("a good one afterwards: %v", o)
	}
}

// A stream that depends on itself is broken off, wherever that is said, and nothing follows.
func TestDependsOnItself(t *testing.T) {
	t.Parallel()
	answer := make(chan bool)
	r := newRig(t, handled(func(http.ResponseWriter, *http.Request) { <-answer }))
	stream := r.open(get("/"), true)
	r.WritePriority(stream, http2.PriorityParam{StreamDep: stream})
	r.WriteHeaders(http2.HeadersFrameParam{StreamID: 5, BlockFragment: r.encode(get("/")), EndHeaders: true, Priority: http2.PriorityParam{StreamDep: 5}})
	if err := r.push(); err != nil {
		t.Fatal(err)
	}
	close(answer)
	awaitHandlers(t, r.c)
	var got []string
	for _, f := range r.frames() {
		got = append(got, f.Header().String())
	}
	if len(got) != 2 || !strings.Contains(got[0], "RST_STREAM stream=1") || !strings.Contains(got[1], "RST_STREAM stream=5") {
		t.Errorf("it gets %q", got)
	}
}
