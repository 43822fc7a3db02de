package compress

import (
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// Level is how hard a writer tries.
type Level string

const (
	Fastest Level = "fastest"
	Default Level = "default"
	Best    Level = "best" // the best that is bearable while a client waits
)

// MaxNumber is the highest level for NewNumberedWriter: all that a coding has, however long it takes.
const MaxNumber = 11

// NewWriter returns a writer that puts into w what is written to it, in the coding. Close ends the coding's stream and not w.
// The writer also has Flush() error, which brings what was written so far to w at some cost in size.
func NewWriter(w io.Writer, c Coding, l Level) (io.WriteCloser, error) {
	number, err := l.number(c)
	if err != nil {
		return nil, err
	}
	return NewNumberedWriter(w, c, number)
}

// number is the level of a coding's own scale.
func (l Level) number(c Coding) (int, error) {
	switch l {
	case Fastest:
		return 1, nil
	case Default:
		if c == Zstd {
			return 3, nil
		}
		return 4, nil
	case Best:
		switch c {
		case Zstd:
			return MaxNumber, nil
		case Brotli:
			return 6, nil // pages get no smaller up to 9, which takes 34 MB of tables instead of 3; 10 and 11 take twenty times as long
		}
		return 9, nil
	}
	return 0, fmt.Errorf("compression level %q: not one of fastest, default, best", string(l))
}

// NewNumberedWriter is NewWriter with a level from 1 to MaxNumber on the coding's own scale. Gzip and deflate end at 9, and
// zstd has four steps: from 1, 3, 6 and 10 on.
func NewNumberedWriter(w io.Writer, c Coding, number int) (io.WriteCloser, error) {
	i := slices.Index(Codings(), c)
	if i < 0 {
		return nil, fmt.Errorf("content coding %q: not one of zstd, br, gzip, deflate", string(c))
	}
	if number < 1 || number > MaxNumber {
		return nil, fmt.Errorf("compression level %d: not from 1 to %d", number, MaxNumber)
	}
	pool := &idle[i][number]
	p, ok := pool.Get().(*pooled)
	if !ok {
		p = &pooled{}
		var err error
		if p.encoder, err = newEncoder(&p.to, c, number); err != nil {
			return nil, fmt.Errorf("content coding %s, level %d: %w", c, number, err)
		}
	}
	p.to.Writer = w
	return &writer{p, pool}, nil
}

// encoder is what the writers of all codings have in common.
type encoder interface {
	io.WriteCloser
	Reset(io.Writer)
	Flush() error
}

// pooled is an encoder that always writes to to.
type pooled struct {
	encoder encoder
	to      struct{ io.Writer }
}

// idle keeps encoders for reuse by coding and level, since a new one clears up to a megabyte of tables (32 for zstd's best). It
// is the one thing here that the whole program shares; the garbage collector empties it.
var idle [4][MaxNumber + 1]sync.Pool

func newEncoder(w io.Writer, c Coding, number int) (encoder, error) {
	switch c {
	case Zstd:
		window := 2 << 20 // as zstd has it at its level 3
		if number >= 10 {
			window = 8 << 20 // the most that RFC 9659 allows
		}
		// One at a time: more would start goroutines, which a writer that is dropped without Close would leak.
		return zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(number)), zstd.WithEncoderConcurrency(1),
			zstd.WithWindowSize(window), zstd.WithLowerEncoderMem(true))
	case Brotli:
		return brotli.NewWriterLevel(w, number), nil
	case Gzip:
		return gzip.NewWriterLevel(w, min(number, gzip.BestCompression))
	}
	// "deflate" is zlib's format, not bare deflate data (RFC 9110 §8.4.1.2).
	return zlib.NewWriterLevel(w, min(number, zlib.BestCompression))
}

// writer hands its encoder back when it is closed.
type writer struct {
	*pooled // nil once closed
	pool    *sync.Pool
}

func (w *writer) Write(p []byte) (int, error) {
	if w.pooled == nil {
		return 0, io.ErrClosedPipe
	}
	return w.encoder.Write(p)
}

func (w *writer) Flush() error {
	if w.pooled == nil {
		return io.ErrClosedPipe
	}
	return w.encoder.Flush()
}

// Close may be called again, to no effect.
func (w *writer) Close() error {
	if w.pooled == nil {
		return nil
	}
	p := w.pooled
	w.pooled = nil
	err := p.encoder.Close()
	p.to.Writer = nil
	p.encoder.Reset(&p.to)
	w.pool.Put(p)
	return err
}
