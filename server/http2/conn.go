// Package http2 is the server's side of HTTP/2 (RFC 9113) without a socket: frames go in and come out, and streams are answered
// by kept replies or by a handler.
package http2

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2/hpack"

	"github.com/rouse-server/rouse/server/reply"
)

// Options are what a connection is made of.
type Options struct {
	// Repeat answers a plain request from a kept reply, nil when it cannot. It runs on the reading goroutine and must not wait.
	// Neither it nor Repeated may call the connection.
	Repeat func(*reply.Request) *reply.Reply
	// Repeated is told of each reply of Repeat when its last byte was handed to Output, or its stream was broken off.
	Repeated func(r *reply.Request, sent *reply.Reply, bytes int64, begun time.Time, aborted bool)
	// Answer answers all other requests, each on its own goroutine, as an http.Handler does. plain is nil for what no kept
	// reply may answer; otherwise it is the request again, and stays valid. w also has SendReply(*reply.Reply) error, which
	// sends a rendered reply as the whole answer.
	Answer func(w http.ResponseWriter, r *http.Request, plain *reply.Request)

	// Extra is how many handlers all connections together may have at the moment, beside one for each. nil: there is no limit.
	Extra *atomic.Int64

	// TooLong is told of each request that gets 431. nil: nobody is.
	TooLong func()

	Context    context.Context // of the requests
	Scope      reply.Scope     // of the plain ones
	TLS        bool            // the scheme is https
	RemoteAddr string
	Dates      *reply.Dates // shared by connections; nil: its own
	Buffers    *Buffers     // likewise

	MaxStreams     uint32        // at the same time
	MaxHeaderBytes int           // of a request, as MaxHeaderBytes of net/http counts
	SendTimeout    time.Duration // for a client to take LowestRate, where it grants no window; 0: none
	LowestRate     int           // bytes a second; 0: anything at all
	HeaderTimeout  time.Duration // for the preface, and for a header block to be complete; 0: none
}

// Output takes what is to be sent. Write sends it or queues it, does not wait, and keeps nothing of b; Queued is how many bytes
// wait. The connection writes no more bodies while that is above its limit, until Sent is called. Neither may call the connection.
type Output interface {
	Write(b []byte) error
	Queued() int
}

// ErrShutdown is what Receive returns after Shutdown, when the last stream has ended.
var ErrShutdown = errors.New("http2: the connection was shut down")

// Conn is one connection. Receive is called from one goroutine; all other methods from any.
type Conn struct {
	options *Options
	output  Output
	done    chan struct{}

	mu      sync.Mutex
	over    error // why the connection is over; nil: it is not
	stage   stage
	pending time.Time // since when what has begun to come is waited for, as Sweep saw it
	partial bool      // a frame other than DATA has begun
	useless int       // frames that brought nothing lately
	broken  int       // requests that the client broke off lately
	calmed  time.Time // when Sweep forgot some of them
	swept   time.Time // when Sweep was called last

	decoder *hpack.Decoder
	work    *work  // what receiving needs; nil between
	block   *block // the header block that goes on, a part of work; nil: none
	unacked int    // SETTINGS of ours that the client has to acknowledge
	table   uint32 // how large the client lets the dynamic table be

	lastID   uint32             // the highest stream that the client opened
	streams  map[uint32]*stream // those that are open or half closed
	dropped  [16]uint32         // streams that were reset here, of which the client may not know yet
	dropping int                // where the next one goes
	lingers  int                // streams that were answered before their request has ended
	running  int                // handlers
	extra    int                // of them, which were taken out of Options.Extra
	unbegun  []*exchange        // which wait for running ones to end
	leaving  bool               // the client was, or at its preface will be, told that the connection ends (RFC 9113 §6.8)
	final    bool               // and that streams beyond lastID are not answered

	out      *outgoing // what is to be written; nil: nothing
	queued   int       // in the output, when it was last asked
	failed   error     // of the output
	resize   bool      // the next header block begins with the end of the dynamic table (RFC 7541 §4.2)
	window   int64     // what the client takes of bodies, on the connection
	initial  int64     // and on a new stream
	received window    // what the client may send of bodies
	granted  int       // bytes that handlers may send, and have not yet
	waiting  []*stream // for windows or for the output, in turn
	pace     pace      // of all of them
	stirred  bool      // they may have to wait no longer
}

// stage is how far the beginning of a connection has come.
type stage int

const (
	awaitsPreface stage = iota
	awaitsSettings
	established
)

// New begins a connection. Nothing is written before the client's preface came.
func New(o *Options, out Output) *Conn {
	c := &Conn{
		options: o, output: out, done: make(chan struct{}),
		window: firstWindow, initial: firstWindow, received: window{left: connWindow, size: connWindow}, table: tableSize,
	}
	if o.Dates == nil || o.Buffers == nil {
		own := *o
		if own.Dates == nil {
			own.Dates = new(reply.Dates)
		}
		if own.Buffers == nil {
			own.Buffers = new(Buffers)
		}
		c.options = &own
	}
	c.decoder = hpack.NewDecoder(tableSize, c.field)
	c.decoder.SetMaxStringLength(c.maxHeaderList())
	return c
}

// Receive takes bytes of the client and returns how many of them were used; the rest, which is less than a frame of 16,393
// bytes, is to be given again, with more. What it answers is written at once, in one Write for all of b unless that is a lot.
// An error says that the connection is over, after what is queued was sent.
func (c *Conn) Receive(b []byte) (used int, err error) {
	c.enter()
	defer c.mu.Unlock()
	if c.over != nil {
		return len(b), c.over
	}
	buffers := c.options.Buffers
	if c.work == nil {
		c.work = takeFrom[work](&buffers.works)
	}
	used, err = c.receive(b)
	if err != nil {
		c.end(err)
	}
	if c.block == nil || c.over != nil {
		c.work.begun = time.Time{}
		c.work.forget() // of a block that was broken off, or the next connection would have it before its own
		buffers.works.Put(c.work)
		c.work, c.block = nil, nil
	}
	c.settle()
	return used, c.over
}

// enter begins to use the connection.
func (c *Conn) enter() {
	c.mu.Lock()
	c.queued = c.output.Queued()
}

// exit ends it: what may be sent now is sent.
func (c *Conn) exit() {
	c.settle()
	c.mu.Unlock()
}

func (c *Conn) settle() {
	if c.stirred {
		c.stirred = false
		c.pump()
	}
	c.flush()
	switch {
	case c.over != nil:
	case c.failed != nil:
		c.end(c.failed)
	case c.queued > mostQueued+mostControl:
		c.end(broken(codeEnhanceCalm, "the client makes work and reads nothing"))
		c.flush()
	}
}

// Sent says that the output has room again.
func (c *Conn) Sent() {
	c.enter()
	c.stirred = true
	c.exit()
}

// Asked is a number that is another one when the client has asked for something since.
func (c *Conn) Asked() uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lastID
}

// Busy tells whether streams are open.
func (c *Conn) Busy() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.streams) > 0
}

// Done is closed when the connection is over: after an error, or after Shutdown when the last stream has ended.
func (c *Conn) Done() <-chan struct{} { return c.done }
