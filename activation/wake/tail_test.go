package wake

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestTailKeepsTheLastLines(t *testing.T) {
	long := strings.Repeat("ä", 300)
	for name, test := range map[string]struct {
		written string
		want    []string
	}{
		"nothing":         {"", nil},
		"fewer":           {"one\n", []string{"one"}},
		"more":            {"1\n2\n3\n4\n", []string{"2", "3", "4"}},
		"no newline":      {"1\n2", []string{"1", "2"}},
		"empty lines":     {"1\n\n  \n2\r\n\n", []string{"1", "2"}},
		"long line":       {long + "\n", []string{strings.Repeat("ä", tailLine) + "…"}},
		"binary":          {"a\x00\x1b[31m\xff\n", []string{`a\x00\x1b[31m\xff`}},
		"as written":      {"\"C:\\\\dir\\x\"\tend", []string{"\"C:\\\\dir\\x\" end"}},
		"beginning lost":  {strings.Repeat("x", 5000) + "\nend\n", []string{"…" + strings.Repeat("x", tailLine) + "…", "end"}},
		"many long lines": {strings.Repeat(strings.Repeat("y", 100)+"\n", 100) + "end", []string{strings.Repeat("y", 100), strings.Repeat("y", 100), "end"}},
	} {
		t.Run(name, func(t *testing.T) {
			one := newTail()
			for part := range slices.Chunk([]byte(test.written), 7) {
				one.Write(part)
			}
			close(one.ended)
			if got := one.last(3, time.Second); !slices.Equal(got, test.want) {
				t.Errorf("got %q\nwant %q", got, test.want)
			}
		})
	}
}

type brokenWriter struct{ writes int }

func (b *brokenWriter) Write([]byte) (int, error) {
	b.writes++
	return 0, errors.New("broken")
}

func TestTailReadsOnWhenNobodyTakesTheLines(t *testing.T) {
	one, broken := newTail(), &brokenWriter{}
	r, w := io.Pipe()
	go one.follow(r, broken)
	for range 3 {
		io.WriteString(w, "line\n")
	}
	w.Close()
	if got := one.last(3, 10*time.Second); len(got) != 3 || broken.writes != 1 {
		t.Errorf("%q after %d writes", got, broken.writes)
	}
}

func TestTailCopiesEveryByte(t *testing.T) {
	one, copied := newTail(), &bytes.Buffer{}
	written := strings.Repeat("some line\x00\n", 10000)
	go one.follow(io.NopCloser(strings.NewReader(written)), copied)
	<-one.ended
	if copied.String() != written {
		t.Errorf("%d of %d bytes", copied.Len(), len(written))
	}
}

func TestTailDoesNotWaitForEver(t *testing.T) {
	one := newTail()
	io.WriteString(one, "so far")
	if got := one.last(3, time.Millisecond); !slices.Equal(got, []string{"so far"}) {
		t.Errorf("%q", got)
	}
}
