package server

import (
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/rouse-server/rouse/server/http2"
)

// nothing is the error of a read that would have to wait. crypto/tls takes one that is Temporary for no end of the
// connection (src/crypto/tls/conn.go, readRecordOrCCS and retryReadRecord, Go 1.26): the read can be repeated when more was
// received. That is not promised; a test holds it.
type nothing struct{}

func (nothing) Error() string   { return "nothing was received yet" }
func (nothing) Timeout() bool   { return true }
func (nothing) Temporary() bool { return true }

var errNothing net.Error = nothing{}

// outbox is what an eager transport could not send yet.
type outbox struct {
	buffers *buffers

	mu     sync.Mutex
	raw    syscall.RawConn // nil: there is none for now
	wake   func()          // gets one
	gather bool            // collect everything until it is sent in one write
	queued []byte          // in a buffer that is held, or nil
	held   *[]byte

	flushing chan struct{} // closed when whoever flushes is done; nil: nobody does

	next []byte                // what try writes, set by its caller
	n    int                   // how much of that went out
	err  syscall.Errno         //
	try  func(fd uintptr) bool // writes once
}

// buffers are those that connections use while they do something, and give back.
type buffers struct {
	received sync.Pool // *[receivedSize]byte
	sent     sync.Pool // *[]byte with room for sentSize
	bulky    sync.Pool // *[]byte with room for bulk and the heads of its TLS records

	exchanges sync.Pool // *exchange
	http2     http2.Buffers
}

const (
	receivedSize = 17 << 10 // a frame of HTTP/2 with its head, or a TLS record
	sentSize     = 32 << 10
)

func (b *buffers) receive() *[receivedSize]byte {
	if p, ok := b.received.Get().(*[receivedSize]byte); ok {
		return p
	}
	return new([receivedSize]byte)
}

func (b *buffers) exchange() *exchange {
	if x, ok := b.exchanges.Get().(*exchange); ok {
		return x
	}
	return &exchange{}
}

func (b *buffers) send() *[]byte { return fetch(&b.sent, sentSize) }

// giveBack takes a buffer of send back, in which something was appended.
func (b *buffers) giveBack(buffer *[]byte, used []byte) {
	if cap(used) <= 8*sentSize {
		*buffer = used[:0]
		b.sent.Put(buffer)
	}
}

func (b *buffers) bulk() *[]byte { return fetch(&b.bulky, bulk+2<<10) }

func fetch(from *sync.Pool, size int) *[]byte {
	if p, ok := from.Get().(*[]byte); ok {
		return p
	}
	p := make([]byte, 0, size)
	return &p
}

// beEager begins to read and write without waiting, by the descriptor that raw has.
// Who writes while there is none calls wake.
func (t *transport) beEager(raw syscall.RawConn, b *buffers, wake func()) {
	o := &t.out
	o.mu.Lock()
	defer o.mu.Unlock()
	o.raw, o.try, o.wake, o.buffers, t.eager = raw, o.write, wake, b, true
}

// beUnable ends it for a while: there is no descriptor.
func (t *transport) beUnable() {
	o := &t.out
	o.mu.Lock()
	defer o.mu.Unlock()
	o.raw, o.try = nil, nil
}

// bePatient ends that, when what is queued was sent.
func (t *transport) bePatient() error {
	err := t.flush()
	t.eager = false
	return err
}

// take gives an eager transport what was received. It is to be read before more is taken.
func (t *transport) take(b []byte) {
	t.unread = b
	t.waiting.Store(int32(len(b)))
}

// write is what RawConn.Write calls.
func (o *outbox) write(fd uintptr) bool {
	o.n, o.err = writeNow(fd, o.next)
	return true
}

// post sends what it can and queues the rest.
func (t *transport) post(b []byte) error {
	o := &t.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.raw == nil {
		o.mu.Unlock()
		o.wake()
		o.mu.Lock()
		if o.raw == nil {
			return net.ErrClosed
		}
	}
	if o.gather || len(o.queued) > 0 {
		o.append(b)
		return nil
	}
	n, err := o.send(b)
	if n < len(b) && err == nil {
		o.append(b[n:])
	}
	return err
}

// gathering says whether writes are collected; the end of it sends them.
func (t *transport) gathering(on bool) error {
	o := &t.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.gather = on; on || len(o.queued) == 0 || o.flushing != nil { // who flushes sends it
		return nil
	}
	n, err := o.send(o.queued)
	if err == nil {
		o.remove(n)
	}
	return err
}

// send writes once, without waiting.
func (o *outbox) send(b []byte) (n int, err error) {
	o.next = b
	err = o.raw.Write(o.try)
	o.next = nil
	switch {
	case err != nil:
		return 0, err
	case o.err == syscall.EAGAIN:
		return 0, nil
	case o.err != 0:
		return 0, o.err
	}
	return o.n, nil
}

// bulk is how much is sent at once of what does not fit in one TLS record: eight of them are 1.2 to 1.6 times cheaper than one.
const bulk = 128 << 10

func (o *outbox) append(b []byte) {
	if o.held == nil {
		o.held = o.buffers.bulk()
		o.queued = (*o.held)[:0]
	}
	o.queued = append(o.queued, b...)
}

// remove forgets the first n bytes of the queue.
func (o *outbox) remove(n int) {
	if n < len(o.queued) {
		o.queued = o.queued[:copy(o.queued, o.queued[n:])]
		return
	}
	if cap(o.queued) <= 2*bulk {
		*o.held = o.queued[:0]
		o.buffers.bulky.Put(o.held)
	}
	o.queued, o.held = nil, nil
}

// queued is how many bytes wait to be sent.
func (t *transport) queued() int {
	t.out.mu.Lock()
	defer t.out.mu.Unlock()
	return len(t.out.queued)
}

// flush waits until all that is queued was sent, as long as the client takes something within the send timeout. Of several that are
// called at once one sends.
func (t *transport) flush() error {
	o := &t.out
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.flushing != nil {
		other := o.flushing
		o.mu.Unlock()
		<-other
		o.mu.Lock()
	}
	if len(o.queued) == 0 {
		return nil
	}
	done := make(chan struct{})
	o.flushing = done
	defer func() {
		o.flushing = nil
		close(done)
	}()
	for len(o.queued) > 0 {
		part := o.queued[:min(len(o.queued), bulk)]
		o.mu.Unlock()
		n, err := t.writePatiently(part)
		o.mu.Lock()
		o.remove(n)
		if err != nil {
			return err
		}
	}
	return t.Conn.SetWriteDeadline(time.Time{})
}

// announce sends b, which more follows at once: the kernel may put both into one segment (send(2), MSG_MORE). The transport is
// patient.
func (t *transport) announce(b []byte) error {
	o := &t.out
	var n int
	var failed syscall.Errno
	if err := o.raw.Write(func(fd uintptr) bool {
		n, failed = writeMore(fd, b)
		return true
	}); err != nil {
		return err
	}
	if failed != 0 {
		n = 0 // and if it lasts, Write will say so
	}
	if n < len(b) {
		_, err := t.writePatiently(b[n:])
		return err
	}
	return nil
}
