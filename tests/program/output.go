package program

import (
	"bytes"
	"regexp"
	"sync"
	"testing"
	"time"
)

// Output keeps what a program writes to one descriptor. It may be read while the program writes.
type Output struct {
	t     testing.TB
	ended <-chan struct{} // the program has ended: no more will come

	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{} // closed and replaced at each write
}

func newOutput(t testing.TB, ended <-chan struct{}) *Output {
	return &Output{t: t, ended: ended, more: make(chan struct{})}
}

// Write adds to the output.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.more)
	o.more = make(chan struct{})
	return o.text.Write(p)
}

// String returns all that was written so far.
func (o *Output) String() string {
	text, _ := o.read()
	return text
}

// read returns what was written so far and a channel that is closed when there is more.
func (o *Output) read() (string, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String(), o.more
}

// WaitFor waits until the output matches pattern and returns the match and its groups. It fails the test when the
// program ends, or limit has passed, without.
func (o *Output) WaitFor(pattern string, limit time.Duration) []string {
	o.t.Helper()
	expression := regexp.MustCompile(pattern)
	deadline := time.After(limit)
	for {
		text, more := o.read()
		if match := expression.FindStringSubmatch(text); match != nil {
			return match
		}
		select {
		case <-more:
		case <-o.ended:
			// What it wrote last may have come after the look above.
			text, _ := o.read()
			match := expression.FindStringSubmatch(text)
			if match == nil {
				o.t.Fatalf("the program ended without writing %q", pattern)
			}
			return match
		case <-deadline:
			o.t.Fatalf("the program has not written %q within %v", pattern, limit)
		}
	}
}
