package compress

import (
	"bytes"
	stdgzip "compress/gzip"
	stdzlib "compress/zlib"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// page is text of the given length that shrinks about as much as a web page does; always the same.
func page(size int) []byte {
	random := rand.New(rand.NewPCG(1, 2))
	words := strings.Fields("div class span href the a of sockets that somebody else opened <p> </p> <li> </li> href= style= 0 1 2")
	var b bytes.Buffer
	for b.Len() < size {
		fmt.Fprintf(&b, "%s %s%d ", words[random.IntN(len(words))], words[random.IntN(len(words))], random.IntN(1000))
	}
	return b.Bytes()[:size]
}

// decode undoes a coding, with the standard library's readers where it has them.
func decode(t testing.TB, c Coding, body []byte) []byte {
	t.Helper()
	var r io.Reader = bytes.NewReader(body)
	var err error
	switch c {
	case Zstd:
		r, err = zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20)) // RFC 9659
	case Brotli:
		r = brotli.NewReader(r)
	case Gzip:
		r, err = stdgzip.NewReader(r)
	case Deflate:
		r, err = stdzlib.NewReader(r)
	}
	if err != nil {
		t.Fatalf("%s: %v", c, err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("%s: %v", c, err)
	}
	return text
}

func encode(t testing.TB, c Coding, number int, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := NewNumberedWriter(&b, c, number)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := w.Write(text); n != len(text) || err != nil {
		t.Fatalf("%s: wrote %d of %d: %v", c, n, len(text), err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestEveryLevelDecodes(t *testing.T) {
	t.Parallel()
	for _, c := range Codings() {
		for number := 1; number <= MaxNumber; number++ {
			for _, size := range []int{0, 1, MinSize, 5000} {
				text := page(size)
				for range 2 { // the second time with an encoder that was used before
					body := encode(t, c, number, text)
					if !bytes.Equal(decode(t, c, body), text) {
						t.Fatalf("%s, level %d, %d bytes: came back different", c, number, size)
					}
					if size >= MinSize && len(body) >= size {
						t.Errorf("%s, level %d: %d bytes became %d", c, number, size, len(body))
					}
				}
			}
		}
	}
}

// What is larger than an encoder's blocks and windows comes back whole, and zstd's frame asks for no more than 8 MiB.
func TestLargeBodies(t *testing.T) {
	t.Parallel()
	text := bytes.Repeat(page(64<<10), 35) // the windows of all but the best levels have 2 MiB or less, or 4 (brotli)
	for _, c := range Codings() {
		number, _ := Default.number(c)
		if !bytes.Equal(decode(t, c, encode(t, c, number, text)), text) {
			t.Errorf("%s: came back different", c)
		}
	}
	if !bytes.Equal(decode(t, Zstd, encode(t, Zstd, MaxNumber, text)), text) {
		t.Error("zstd, best: came back different")
	}
}

func TestBetterLevelsAreSmaller(t *testing.T) {
	t.Parallel()
	text := page(50 << 10)
	for _, c := range Codings() {
		last := len(text)
		for _, l := range []Level{Fastest, Default, Best} {
			number, err := l.number(c)
			if err != nil {
				t.Fatal(err)
			}
			size := len(encode(t, c, number, text))
			if size > last+last/50 {
				t.Errorf("%s, %s: %d bytes, the level below makes %d", c, l, size, last)
			}
			last = size
		}
	}
}

func TestFlushBringsWhatWasWritten(t *testing.T) {
	t.Parallel()
	for _, c := range Codings() {
		var b bytes.Buffer
		w, err := NewWriter(&b, c, Default)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, "first part, ")
		before := b.Len()
		if err := w.(interface{ Flush() error }).Flush(); err != nil || b.Len() <= before {
			t.Errorf("%s: %d bytes after Flush, %d before: %v", c, b.Len(), before, err)
		}
		io.WriteString(w, "second part")
		w.Close()
		if got := decode(t, c, b.Bytes()); string(got) != "first part, second part" {
			t.Errorf("%s: %q", c, got)
		}
	}
}

func TestClosedWriter(t *testing.T) {
	t.Parallel()
	for _, c := range Codings() {
		var b bytes.Buffer
		w, err := NewWriter(&b, c, Default)
		if err != nil {
			t.Fatal(err)
		}
		w.Close()
		size := b.Len()
		if _, err := w.Write([]byte("late")); err == nil {
			t.Errorf("%s: written after Close", c)
		}
		if err := w.Close(); err != nil || b.Len() != size {
			t.Errorf("%s: second Close: %v, %d bytes more", c, err, b.Len()-size)
		}
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("the client is gone") }

// An encoder whose destination failed is as good as new for the next one.
func TestReuseAfterError(t *testing.T) {
	t.Parallel()
	text := page(300 << 10)
	for _, c := range Codings() {
		w, err := NewWriter(broken{}, c, Default)
		if err != nil {
			t.Fatal(err)
		}
		_, wrote := w.Write(text)
		if closed := w.Close(); wrote == nil && closed == nil {
			t.Errorf("%s: the error is lost", c)
		}
		number, _ := Default.number(c)
		if !bytes.Equal(decode(t, c, encode(t, c, number, text)), text) {
			t.Errorf("%s: came back different", c)
		}
	}
}

func TestWritersAtOnce(t *testing.T) {
	t.Parallel()
	var all sync.WaitGroup
	for i := range 8 {
		text := page(1000 + 2000*i)
		for _, c := range Codings() {
			all.Go(func() {
				number, _ := Default.number(c)
				for range 3 {
					if !bytes.Equal(decode(t, c, encode(t, c, number, text)), text) {
						t.Errorf("%s: came back different", c)
					}
				}
			})
		}
	}
	all.Wait()
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, make := range []func() (io.WriteCloser, error){
		func() (io.WriteCloser, error) { return NewWriter(io.Discard, "compress", Default) },
		func() (io.WriteCloser, error) { return NewWriter(io.Discard, Gzip, "most") },
		func() (io.WriteCloser, error) { return NewNumberedWriter(io.Discard, Gzip, 0) },
		func() (io.WriteCloser, error) { return NewNumberedWriter(io.Discard, Zstd, MaxNumber+1) },
	} {
		if w, err := make(); err == nil || w != nil {
			t.Errorf("%v, %v", w, err)
		}
	}
}
