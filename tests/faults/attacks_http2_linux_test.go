package faults

import (
	"bytes"
	"strings"
	"testing"

	"golang.org/x/net/http2"
)

// Without these one connection of HTTP/2 could be worth as many as it has streams, or cost more than a thousand.
func TestSlowHTTP2(t *testing.T) {
	for _, a := range slowHTTP2() {
		t.Run(a.name, a.try)
	}
}

func slowHTTP2() []*attack {
	all := []*attack{
		{name: "idle HTTP/2", tried: "SETTINGS and nothing more", allow: 160, assail: func(c *client) {
			c.speakHTTP2().listen()
		}},
		{name: "slow heads over HTTP/2", tried: "HEADERS without an end, a byte of CONTINUATION now and then", allow: 200, assail: func(c *client) {
			h := c.speakHTTP2()
			h.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: h.head("GET", "/")})
			h.flush()
			go h.trickleFrames(func() { h.WriteContinuation(1, false, []byte{0x82}) })
			h.listen()
		}},
		{name: "slow bodies over HTTP/2", tried: "a byte of a body now and then", allow: 250, assail: func(c *client) {
			h := c.speakHTTP2()
			stream := h.open(false, "POST", "/")
			h.flush()
			go h.trickleFrames(func() { h.WriteData(stream, false, []byte("x")) })
			h.listen()
		}},
		{name: "tiny windows", tried: "ask for 64 MiB with a window of one byte, and never for more", allow: 400, assail: func(c *client) {
			h := c.speakHTTP2(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1})
			h.open(true, "GET", "/large.bin")
			h.flush()
			h.listen()
		}},
		{name: "unread streams", tried: "ask 100 times for 64 MiB with windows of nothing", allow: 2000, assail: func(c *client) {
			h := c.speakHTTP2(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
			for range 100 {
				h.open(true, "GET", "/large.bin")
			}
			h.flush()
			h.listen()
		}},
		{name: "slow reads over HTTP/2", tried: "ask for 64 MiB, open the window by a byte now and then", allow: 400, assail: func(c *client) {
			h := c.speakHTTP2(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
			stream := h.open(true, "GET", "/large.bin")
			h.flush()
			go h.trickleFrames(func() { h.WriteWindowUpdate(stream, 1) })
			h.listen()
		}},
	}
	for _, a := range all {
		a.secure, a.proto, a.peer = true, "h2", true
	}
	return all
}

func TestFloodsOfHTTP2(t *testing.T) {
	for _, a := range floodsOfHTTP2() {
		t.Run(a.name, a.try)
	}
}

func floodsOfHTTP2() []*attack {
	const calm = "GOAWAY ENHANCE_YOUR_CALM"
	all := []*attack{
		{name: "SETTINGS flood", tried: "SETTINGS without end", word: calm, assail: func(c *client) {
			h := c.speakHTTP2()
			h.flood(func() { h.WriteSettings() })
		}},
		{name: "PING flood", tried: "PING without end", word: calm, assail: func(c *client) {
			h := c.speakHTTP2()
			h.flood(func() { h.WritePing(false, [8]byte{}) })
		}},
		{name: "rapid reset (CVE-2023-44487)", tried: "ask and break off, without end", word: calm, assail: func(c *client) {
			h := c.speakHTTP2()
			h.flood(func() { h.WriteRSTStream(h.open(true, "GET", "/large.bin"), http2.ErrCodeCancel) })
		}},
		{name: "rapid reset of the page", tried: "ask for what is kept and break off, without end", assail: func(c *client) {
			h := c.speakHTTP2()
			h.flood(func() { h.WriteRSTStream(h.open(true, "GET", "/"), http2.ErrCodeCancel) })
		}},
		{name: "CONTINUATION flood (CVE-2024-27316)", tried: "HEADERS without an end, CONTINUATION without end", word: calm, assail: func(c *client) {
			h := c.speakHTTP2()
			h.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: h.head("GET", "/")})
			h.flood(func() { h.WriteContinuation(1, false, h.literal("x", strings.Repeat("y", 100))) })
		}},
		{name: "empty CONTINUATION flood", tried: "HEADERS without an end, empty CONTINUATION without end", word: calm, assail: func(c *client) {
			h := c.speakHTTP2()
			h.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: h.head("GET", "/")})
			h.flood(func() { h.WriteContinuation(1, false, nil) })
		}},
		{name: "empty DATA flood (CVE-2019-9518)", tried: "a body of empty DATA without end", word: calm, assail: func(c *client) {
			h := c.speakHTTP2()
			stream := h.open(false, "POST", "/")
			h.flood(func() { h.WriteData(stream, false, nil) })
		}},
		{name: "header bomb", tried: "20 heads of 16,000 references to an entry of 3,900 bytes", word: "431", assail: func(c *client) {
			h := c.speakHTTP2()
			long := strings.Repeat("y", 3900)
			h.open(true, "GET", "/", "x-bomb", long)
			bomb := append(bytes.Clone(h.head("GET", "/")), bytes.Repeat([]byte{0x80 | 62}, 16_000)...) // the entry that is newest: of x-bomb
			h.times(20, func() { h.raw(true, bomb) })
		}},
		{name: "many fields over HTTP/2", tried: "a head of 100,000 fields", word: "GOAWAY PROTOCOL_ERROR", assail: func(c *client) {
			h := c.speakHTTP2()
			fields := bytes.Repeat(h.literal("x", "y"), 1000)
			h.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: h.head("GET", "/"), EndStream: true})
			h.times(100, func() { h.WriteContinuation(1, false, fields) })
		}},
	}
	for _, a := range all {
		a.floods, a.allow, a.peer = true, 5000, true
		if isLong() { // as the peer, which speaks HTTP/2 over TLS alone
			a.secure, a.proto = true, "h2"
		}
	}
	return all
}
