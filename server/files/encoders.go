package files

import "context"

// Encoders bounds how much is encoded on the fly at once, in all handlers that share it: each encoder has megabytes of
// tables, and more of them than processors only take turns. A nil *Encoders bounds nothing.
type Encoders struct {
	whole   chan struct{} // a value for each body that is made in memory
	streams chan struct{} // a value for each that is made while its client takes it, at the client's speed
}

// streamsForEach is how many streams there may be for each body that may be made in memory: streams wait for their clients
// most of the time.
const streamsForEach = 4

// NewEncoders allows n bodies to be made at once, which is best the number of processors, and four times as many streams.
func NewEncoders(n int) *Encoders {
	return &Encoders{make(chan struct{}, n), make(chan struct{}, streamsForEach*n)}
}

// wait waits for a place to make a body in, or for ctx to end, whose error it returns. The place is given back by done.
func (e *Encoders) wait(ctx context.Context) (done func(), err error) {
	if e == nil {
		return func() {}, nil
	}
	select {
	case e.whole <- struct{}{}:
		return func() { <-e.whole }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// stream asks for a place to make a stream in. It does not wait, since slow clients may hold all places for long. The place
// is given back by done.
func (e *Encoders) stream() (done func(), ok bool) {
	if e == nil {
		return func() {}, true
	}
	select {
	case e.streams <- struct{}{}:
		return func() { <-e.streams }, true
	default:
		return nil, false
	}
}
