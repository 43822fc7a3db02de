package http2

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// runReference gives the input to x/net/http2, and waits for what the engine has answered.
func runReference(t *testing.T, input []byte, ours run) (theirs run) {
	here, there := net.Pipe()
	go func() { // it ends a second after an error of the client's, and is not waited for
		server := &http2.Server{MaxConcurrentStreams: 10, MaxReadFrameSize: maxFrame, MaxUploadBufferPerStream: streamWindow}
		server.ServeConn(there, &http2.ServeConnOpts{
			BaseConfig: &http.Server{MaxHeaderBytes: 8 << 10, ErrorLog: silent()}, Handler: http.HandlerFunc(fuzzHandler),
		})
	}()
	here.SetDeadline(time.Now().Add(3 * time.Second))
	wrote := make(chan struct{})
	go func() {
		defer close(wrote)
		here.Write(append(beginning(), input...))
		http2.NewFramer(here, nil).WritePing(false, [8]byte{1, 2, 3})
	}()
	defer func() {
		here.Close()
		<-wrote
	}()
	return readReference(t, here, ours)
}

func readReference(t *testing.T, from io.Reader, ours run) (theirs run) {
	theirs.replies = map[uint32]*outcome{}
	w := &wire{Framer: http2.NewFramer(io.Discard, from)}
	w.decoder = hpack.NewDecoder(tableSize, nil)
	theirs.err = errors.New("no answer to PING")
	for {
		f, err := w.ReadFrame()
		if err != nil {
			return theirs
		}
		if p, ok := f.(*http2.PingFrame); ok && p.IsAck() && p.Data == [8]byte{1, 2, 3} {
			theirs.err = nil
		}
		if g, ok := f.(*http2.GoAwayFrame); ok {
			theirs.err = fmt.Errorf("GOAWAY %v", g.ErrCode)
			return theirs
		}
		if id := f.Header().StreamID; id != 0 {
			if theirs.replies[id] == nil {
				theirs.replies[id] = &outcome{}
			}
			w.take(theirs.replies[id], id, f)
		}
		if theirs.err == nil && answersAll(theirs, ours) {
			return theirs
		}
	}
}

// answersAll tells whether all that the engine has answered is answered.
func answersAll(theirs, ours run) bool {
	for id, o := range ours.replies {
		if other := theirs.replies[id]; o.end == "END_STREAM" && (other == nil || other.end == "") {
			return false
		}
	}
	return true
}

// compareRuns tells where the engine gives up, or answers otherwise, and x/net/http2 does not.
func compareRuns(t *testing.T, input []byte, ours, theirs run) {
	t.Helper()
	if theirs.err != nil {
		return
	}
	if ours.err != nil {
		if !stricter(ours.err, theirs) {
			t.Errorf("%q: the engine ends the connection by %v, x/net/http2 does not", input, ours.err)
		}
		return
	}
	for _, id := range slices.Sorted(maps.Keys(theirs.replies)) {
		want, have := theirs.replies[id], ours.replies[id]
		if want.end != "END_STREAM" || strings.HasSuffix(want.body, "in HTTP/2\n") {
			continue
		}
		if have != nil && have.end == malformed && have.body == want.body { // a body shorter than its content-length (RFC 9113 §8.1.1)
			continue
		}
		if (have == nil || have.end != "END_STREAM") && !resetByInput(input, id) {
			t.Errorf("%q: stream %d: the engine sends %v, x/net/http2 %v", input, id, have, want)
		}
	}
}

// stricter tells whether the engine ends a connection where RFC 9113 wants that, or a limit is its own.
func stricter(err error, theirs run) bool {
	if strings.HasSuffix(err.Error(), "HEADERS on a closed stream") { // x/net/http2 forgets that a malformed request opened one
		return slices.ContainsFunc(slices.Collect(maps.Values(theirs.replies)), func(o *outcome) bool { return o.end == malformed })
	}
	return errors.Is(err, ErrShutdown) || slices.ContainsFunc([]string{
		"the padding is longer than its frame",   // §6.2; x/net/http2 goes on with a table of HPACK that is wrong
		"HEADERS with a priority is too short",   // likewise, where it is padded
		"HEADERS on a stream that is not",        // §5.1.1; likewise where its content is malformed, too
		"WINDOW_UPDATE on an idle stream",        // §5.1; by nothing it is a stream's error to x/net/http2
		"too many CONTINUATION frames",           //
		"more DATA than the connection's window", //
	}, func(text string) bool { return strings.Contains(err.Error(), text) })
}

// resetByInput tells whether the client itself may have broken a stream off: x/net/http2 may have answered before.
func resetByInput(input []byte, id uint32) bool {
	ended := false
	for len(input) > 0 {
		f := parseFrame(input)
		input = input[frameHead+f.length:]
		if f.stream != id {
			continue
		}
		switch f.kind {
		case frameReset, frameWindowUpdate, framePriority:
			return true
		case frameHeaders, frameData:
			if ended {
				return true
			}
			ended = f.has(flagEndStream)
		}
	}
	return false
}
