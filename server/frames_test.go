package server

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"
)

// goAway is the frame that has to appear: GOAWAY, stream 0, last stream 2^31-1, NO_ERROR (RFC 9113 §6.8).
const goAway = "\x00\x00\x08\x07\x00\x00\x00\x00\x00\x7f\xff\xff\xff\x00\x00\x00\x00"

// frame writes a frame (RFC 9113 §4.1).
func frame(kind, flags byte, stream uint32, payload int) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(payload)<<8|uint32(kind))
	b = append(b, flags)
	b = binary.BigEndian.AppendUint32(b, stream)
	return append(b, bytes.Repeat([]byte{kind}, payload)...)
}

// conversation is what a server may write: every kind of frame, header blocks of several frames, and empty frames.
func conversation() [][]byte {
	return [][]byte{
		frame(0x4, 0, 0, 18), // SETTINGS
		frame(0x4, 1, 0, 0),  // its acknowledgement
		frame(frameHeaders, 0, 1, 40),
		frame(frameContinuation, 0, 1, 0),
		frame(frameContinuation, flagEndHeaders, 1, 300),
		frame(0x0, 0, 1, 400),
		frame(0x0, 1, 1, 0), // an empty DATA frame that ends the stream
		frame(framePushPromise, 0, 3, 10),
		frame(frameContinuation, flagEndHeaders, 3, 1),
		frame(frameHeaders, flagEndHeaders|1, 5, 3),
		frame(0x8, 0, 0, 4),     // WINDOW_UPDATE
		frame(0x6, 1, 0, 8),     // PING
		frame(0x3, 0, 7, 4),     // RST_STREAM
		frame(0xbe, 0xff, 0, 7), // a kind that nobody knows
		frame(0x7, 0, 0, 8),     // net/http's own, last GOAWAY
	}
}

// expectBetween checks that written is the frames with exactly one GOAWAY between two of them, and at a place where it may
// stand: after the first, and not within a header block.
func expectBetween(t testing.TB, written []byte, all [][]byte) {
	t.Helper()
	open := false
	for i, f := range all {
		if !bytes.HasPrefix(written, f) {
			t.Fatalf("frame %d is damaged: % x…", i, written[:min(len(written), 20)])
		}
		written = written[len(f):]
		switch f[3] {
		case frameHeaders, framePushPromise, frameContinuation:
			open = f[4]&flagEndHeaders == 0
		}
		if bytes.HasPrefix(written, []byte(goAway)) {
			if open {
				t.Fatalf("the GOAWAY stands within the header block of frame %d", i)
			}
			written = written[len(goAway):]
			if rest := bytes.Join(all[i+1:], nil); !bytes.Equal(written, rest) {
				t.Fatalf("after the GOAWAY behind frame %d there are %d bytes, should be %d", i, len(written), len(rest))
			}
			return
		}
	}
	t.Fatal("there is no GOAWAY")
}

// feed writes the bytes in pieces that end at the cuts, and asks for the GOAWAY before the piece of that number.
func feed(t testing.TB, f *frames, all []byte, cuts []int, before int) {
	t.Helper()
	from := 0
	for i, cut := range append(cuts, len(all)) {
		if i == before {
			if err := f.GoAway(); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := f.Write(all[from:cut]); n != cut-from || err != nil {
			t.Fatalf("wrote %d of %d bytes, %v", n, cut-from, err)
		}
		from = cut
	}
}

// An HTTP/2 client of a server that drains is told so between two frames, wherever net/http's writes begin and end: a
// GOAWAY in the wrong place would break the connection with every request on it.
func TestGoAwayAtBoundaries(t *testing.T) {
	all := conversation()
	stream := bytes.Join(all, nil)
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 2000 {
		var cuts []int
		for at := 0; ; {
			at += 1 + random.IntN(1+random.IntN(1+[]int{3, 12, 700, len(stream)}[round%4]))
			if at >= len(stream) {
				break
			}
			cuts = append(cuts, at)
		}
		var written bytes.Buffer
		feed(t, &frames{to: &written}, stream, cuts, random.IntN(len(cuts)+1))
		expectBetween(t, written.Bytes(), all)
	}
}

// A GOAWAY is held back by every single byte of a frame that is under way, its head of 9 bytes included.
func TestGoAwayEveryCut(t *testing.T) {
	all := conversation()
	stream := bytes.Join(all, nil)
	for cut := range len(stream) {
		var written bytes.Buffer
		feed(t, &frames{to: &written}, stream, []int{cut}, 1)
		expectBetween(t, written.Bytes(), all)
	}
}

// A connection that becomes HTTP/2 while the server drains is told right behind its SETTINGS, which have to be first.
func TestGoAwayFromTheStart(t *testing.T) {
	var written bytes.Buffer
	f := &frames{to: &written, wanted: true}
	f.GoAway()
	if written.Len() > 0 {
		t.Fatal("the GOAWAY comes before SETTINGS")
	}
	all := conversation()
	if _, err := f.Write(bytes.Join(all, nil)); err != nil {
		t.Fatal(err)
	}
	if want := string(all[0]) + goAway + string(all[1]); !bytes.HasPrefix(written.Bytes(), []byte(want)) {
		t.Error("it is not right behind SETTINGS")
	}
	expectBetween(t, written.Bytes(), all)
	size := written.Len()
	if f.GoAway(); written.Len() != size {
		t.Error("it was sent twice")
	}
}

// Without a drain nothing is added, and an idle connection is told at once when it begins.
func TestGoAwayWhenIdle(t *testing.T) {
	var written bytes.Buffer
	f := &frames{to: &written}
	stream := bytes.Join(conversation(), nil)
	if n, err := f.Write(stream); n != len(stream) || err != nil || !bytes.Equal(written.Bytes(), stream) {
		t.Fatalf("%d, %v, %d bytes", n, err, written.Len())
	}
	if err := f.GoAway(); err != nil || written.String() != string(stream)+goAway {
		t.Errorf("%v, %d bytes more", err, written.Len()-len(stream))
	}
}

// short is a writer that takes so many bytes and then fails.
type short struct{ left int }

var errShort = errors.New("no more")

func (s *short) Write(b []byte) (int, error) {
	n := min(len(b), s.left)
	s.left -= n
	if n < len(b) {
		return n, errShort
	}
	return n, nil
}

// A connection that breaks is reported as broken to net/http, with no more bytes than were written of its own.
func TestGoAwayOnBrokenConnection(t *testing.T) {
	stream := bytes.Join(conversation(), nil)
	for room := range len(stream) + len(goAway) {
		f := &frames{to: &short{room}, wanted: true}
		if n, err := f.Write(stream); !errors.Is(err, errShort) || n > min(room, len(stream)) {
			t.Fatalf("with room for %d bytes: wrote %d, %v", room, n, err)
		}
	}
}

// Whatever frames net/http writes, in whatever pieces, the GOAWAY stands where it may and nothing else changes.
func FuzzGoAway(f *testing.F) {
	f.Add([]byte{1, 0, 5, 9, 0, 3, 1, 4, 200}, []byte{1, 8, 9, 10}, byte(2))
	f.Add([]byte{0, 0, 0, 5, 0, 0, 9, 4, 0}, []byte{0, 0, 9, 18}, byte(0))
	f.Add([]byte{1, 4, 1, 0, 1, 90}, []byte{3, 3, 3, 3, 3, 3}, byte(200))
	f.Fuzz(func(t *testing.T, shape, pieces []byte, when byte) {
		all := [][]byte{frame(0x4, 0, 0, 0)}
		open := false
		for len(shape) >= 3 {
			kind, flags, size := shape[0], shape[1], int(shape[2])
			shape = shape[3:]
			if headers := kind == frameHeaders || kind == framePushPromise; open {
				kind = frameContinuation // nothing else may follow (RFC 9113 §6.10)
			} else if kind == frameContinuation {
				kind = 0
			} else if headers {
				open = true
			}
			if open {
				open = flags&flagEndHeaders == 0
			}
			all = append(all, frame(kind, flags, 1, size))
		}
		if open {
			all = append(all, frame(frameContinuation, flagEndHeaders, 1, 0))
		}
		stream := bytes.Join(all, nil)
		var cuts []int
		at := 0
		for _, p := range pieces {
			if at += int(p); at < len(stream) {
				cuts = append(cuts, at)
			}
		}
		var written bytes.Buffer
		feed(t, &frames{to: &written}, stream, cuts, int(when)%(len(cuts)+1))
		expectBetween(t, written.Bytes(), all)
	})
}
