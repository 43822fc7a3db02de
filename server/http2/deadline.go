package http2

import "time"

// SetReadDeadline limits the time for the request's body.
func (w *response) SetReadDeadline(at time.Time) error {
	x := w.exchange
	x.conn.enter()
	defer x.conn.exit()
	if b := x.body; b != nil {
		b.readBy = at
		wake(b.readable)
	}
	return nil
}

// SetWriteDeadline limits the time for the reply: the stream is broken off when it is up and something is still to be written.
func (w *response) SetWriteDeadline(at time.Time) error {
	x := w.exchange
	x.conn.enter()
	defer x.conn.exit()
	x.writeBy = at
	wake(x.writable)
	return nil
}

// EnableFullDuplex has nothing to do: HTTP/2 is so.
func (w *response) EnableFullDuplex() error { return nil }
