package handoff

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// NetworkRequest asks the dispatcher for a socket made where it lives.
type NetworkRequest struct {
	ID           uint64         // the question's number; NetworkClient chooses it
	Operation    string         // listen or connect
	Family       int            // 4 or 6
	Type         string         // stream or datagram
	Local        netip.AddrPort // to bind to; port 0 is any. Of connect it may be left out
	Remote       netip.AddrPort // of connect
	Backlog      int            // of listen
	ReuseAddress bool           // SO_REUSEADDR
	ReusePort    bool           // SO_REUSEPORT
	Only6        bool           // IPV6_V6ONLY
	NoWait       bool           // connect: answer EINPROGRESS and a socket that connects still
}

// NetworkAnswer is what came of it.
type NetworkAnswer struct {
	ID     uint64
	Errno  int            // Linux's number (errno(3)), 0 for success
	Text   string         // why not, for the log
	Local  netip.AddrPort // the socket's own address
	Number int            // the socket; -1: none
}

// Conversation is the dispatcher's side of a backend that asks for sockets.
type Conversation struct {
	applicant *Applicant
	close     func() error
	places    chan struct{} // one word for each question that is not answered yet

	mu   sync.Mutex
	open map[uint64]bool // the same questions
}

// Network begins a conversation.
func (a *Applicant) Network() (*Conversation, error) {
	if err := a.conn.send(welcomeFrame{gives: givesNetwork}.append(nil)); err != nil {
		a.end()
		return nil, fmt.Errorf("%s: %w", a.Peer, err)
	}
	c := &Conversation{applicant: a, places: make(chan struct{}, mostAsked), open: map[uint64]bool{}}
	c.close = sync.OnceValue(func() error {
		a.end()
		return nil
	})
	return c, nil
}

// Next waits for a question, for one caller at a time. io.EOF says that the backend has gone. Only 64 are taken that are not
// answered. The end of the context ends the conversation.
func (c *Conversation) Next(ctx context.Context) (NetworkRequest, error) {
	select {
	case c.places <- struct{}{}:
	case <-ctx.Done():
		return NetworkRequest{}, ctx.Err()
	}
	defer context.AfterFunc(ctx, func() { c.applicant.conn.file.SetReadDeadline(time.Unix(1, 0)) })()
	r, err := c.read()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if errors.Is(err, errFrame) {
		c.applicant.conn.send(refusedFrame{reason: err.Error()}.append(nil))
	}
	return r, err
}

// Close ends it. Questions that are not answered never are.
func (c *Conversation) Close() error { return c.close() }

func (c *Conversation) read() (NetworkRequest, error) {
	buffer := make([]byte, mostWords)
	for {
		m, err := c.applicant.conn.receive(buffer, 0)
		if err != nil {
			return NetworkRequest{}, err
		}
		r, err := questionOf(m)
		if err != nil {
			return NetworkRequest{}, err
		}
		if r.ID == 0 { // a message of a later version; many of them are not worth the dispatcher's time
			time.Sleep(time.Millisecond)
			continue
		}
		return r, c.note(r.ID)
	}
}

func (c *Conversation) note(id uint64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open[id] {
		return fmt.Errorf("%w: question %d is asked twice", errFrame, id)
	}
	c.open[id] = true
	return nil
}

// questionOf returns the question that a message holds; its ID is 0 for a message of a later version.
func questionOf(m message) (NetworkRequest, error) {
	if m.cut {
		return NetworkRequest{}, fmt.Errorf("%w: it is longer than %d bytes", errFrame, mostWords)
	}
	kind, rest, err := frameOf(m.data)
	if err != nil || kind != typeNetworkRequest {
		return NetworkRequest{}, err
	}
	r, err := parseNetworkRequest(rest)
	if err == nil && r.ID == 0 {
		err = fmt.Errorf("%w: question number 0", errFrame)
	}
	return r, err
}

// Answer answers one question, from any goroutine. The caller keeps its own descriptor.
func (c *Conversation) Answer(a NetworkAnswer) error {
	c.mu.Lock()
	open := c.open[a.ID]
	delete(c.open, a.ID)
	c.mu.Unlock()
	if !open {
		return fmt.Errorf("answer a question for a socket: number %d was not asked, or is answered", a.ID)
	}
	defer func() { <-c.places }()
	var descriptors []int
	if a.Number >= 0 {
		descriptors = []int{a.Number}
	}
	c.applicant.conn.file.SetWriteDeadline(time.Now().Add(speakWithin))
	return c.applicant.conn.push(a.append(nil), descriptors...)
}

// NetworkClient asks a dispatcher for sockets, from many goroutines at once. When the dispatcher was restarted it connects
// again by itself, for the next question.
type NetworkClient struct {
	path, backend string
	dispatcher    []uint32

	mu     sync.Mutex
	talk   *talk
	closed bool
}

// talk is one connection of a client to a dispatcher.
type talk struct {
	conn *packets

	mu      sync.Mutex
	last    uint64
	waiting map[uint64]chan NetworkAnswer
	err     error // why nothing can be asked any more
}

// DialNetwork connects to the dispatcher whose desk is at path. One of another user than these is refused; of none: than root
// or our own.
func DialNetwork(path, backend string, dispatcher ...uint32) (*NetworkClient, error) {
	n := &NetworkClient{path: path, backend: backend, dispatcher: dispatcher}
	_, err := n.current()
	if err != nil {
		return nil, err
	}
	return n, nil
}

// current returns a connection that works, as far as is known.
func (n *NetworkClient) current() (*talk, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, net.ErrClosed
	}
	if n.talk != nil && n.talk.alive() {
		return n.talk, nil
	}
	t, err := n.dial()
	if err != nil {
		return nil, fmt.Errorf("ask the dispatcher at %s for sockets of %s: %w", n.path, n.backend, err)
	}
	n.talk = t
	return t, nil
}

func (n *NetworkClient) dial() (*talk, error) {
	conn, err := dialPackets(n.path)
	if err != nil {
		return nil, err
	}
	if err := n.greet(conn); err != nil {
		conn.close()
		return nil, err
	}
	t := &talk{conn: conn, waiting: map[uint64]chan NetworkAnswer{}}
	go t.read()
	return t, nil
}

func (n *NetworkClient) greet(conn *packets) error {
	who, err := conn.peer()
	if err != nil {
		return err
	}
	if !allowed(who.UID, n.dispatcher) {
		return fmt.Errorf("the dispatcher there is %s, who may not be one: allow that user, or see who owns the folder", who)
	}
	conn.file.SetDeadline(time.Now().Add(speakWithin))
	defer conn.file.SetDeadline(time.Time{})
	if err := conn.push(appendNetworkHello(nil, n.backend)); err != nil {
		return err
	}
	m, err := conn.receive(make([]byte, mostBytes), 0)
	if err == io.EOF {
		return errors.New("it closed the connection")
	}
	if err != nil {
		return err
	}
	kind, rest, err := frameOf(m.data)
	if err != nil {
		return err
	}
	switch kind {
	case typeRefused:
		return refusedAs(rest)
	case typeWelcome:
		w, err := parseWelcome(rest)
		if err == nil && w.gives != givesNetwork {
			err = fmt.Errorf("%w: an unexpected welcome", errFrame)
		}
		return err
	}
	return fmt.Errorf("%w: type %d is no answer to a greeting", errFrame, kind)
}

// Listen returns a socket that listens, or is bound, close-on-exec and non-blocking, and its own address. An error that wraps
// a syscall.Errno is the dispatcher's answer.
func (n *NetworkClient) Listen(r NetworkRequest) (fd int, local netip.AddrPort, err error) {
	r.Operation = "listen"
	return n.ask(r)
}

// Connect returns a connected socket, as Listen does. With NoWait it returns the socket together with EINPROGRESS.
func (n *NetworkClient) Connect(r NetworkRequest) (fd int, local netip.AddrPort, err error) {
	r.Operation = "connect"
	return n.ask(r)
}

// Close ends the conversation; who waits for an answer gets an error.
func (n *NetworkClient) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	if n.talk != nil {
		n.talk.conn.close()
	}
	return nil
}

func (n *NetworkClient) ask(r NetworkRequest) (fd int, local netip.AddrPort, err error) {
	if !fits(r) || r.Family != 4 && r.Family != 6 {
		return -1, netip.AddrPort{}, fmt.Errorf("ask for a socket: the addresses do not fit the family: %w", syscall.EAFNOSUPPORT)
	}
	t, err := n.current()
	if err != nil {
		return -1, netip.AddrPort{}, err
	}
	a, err := t.ask(r)
	if err != nil {
		return -1, netip.AddrPort{}, fmt.Errorf("ask the dispatcher at %s for a socket: %w", n.path, err)
	}
	if a.Number >= 0 {
		if err := unix.SetNonblock(a.Number, true); err != nil {
			unix.Close(a.Number)
			return -1, netip.AddrPort{}, err
		}
	}
	switch {
	case a.Errno != 0:
		return a.Number, a.Local, fmt.Errorf("the dispatcher at %s: %s: %w", n.path, a.Text, syscall.Errno(a.Errno))
	case a.Number < 0:
		return -1, a.Local, fmt.Errorf("the dispatcher at %s: it answered without a socket", n.path)
	}
	return a.Number, a.Local, nil
}

func (t *talk) alive() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err == nil
}

func (t *talk) ask(r NetworkRequest) (NetworkAnswer, error) {
	answer := make(chan NetworkAnswer, 1)
	t.mu.Lock()
	if t.err != nil {
		t.mu.Unlock()
		return NetworkAnswer{}, t.err
	}
	t.last++
	r.ID = t.last
	t.waiting[r.ID] = answer
	t.mu.Unlock()
	if err := t.conn.push(r.append(nil)); err != nil {
		t.fail(err)
	}
	a, ok := <-answer
	if !ok {
		return NetworkAnswer{}, t.err
	}
	return a, nil
}

// fail ends all waiting.
func (t *talk) fail(err error) {
	t.conn.close()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil {
		t.err = err
	}
	for id, answer := range t.waiting {
		delete(t.waiting, id)
		close(answer)
	}
}

// read gives the answers to who asked.
func (t *talk) read() {
	buffer := make([]byte, mostBytes)
	for {
		m, err := t.conn.receive(buffer, 1)
		if err == nil {
			err = t.deliver(m)
		}
		if err == io.EOF {
			err = errors.New("the dispatcher has closed the connection")
		}
		if err != nil {
			t.fail(err)
			return
		}
	}
}

// deliver gives the answer that a message holds to who asked.
func (t *talk) deliver(m message) error {
	a, err := answerOf(m)
	t.mu.Lock()
	answer := t.waiting[a.ID]
	delete(t.waiting, a.ID)
	t.mu.Unlock()
	if err != nil || answer == nil {
		m.close()
		return err
	}
	answer <- a
	return nil
}

// answerOf returns the answer that a message holds; its ID is 0 for a message of a later version.
func answerOf(m message) (NetworkAnswer, error) {
	kind, rest, err := frameOf(m.data)
	if err != nil {
		return NetworkAnswer{}, err
	}
	switch kind {
	case typeRefused:
		return NetworkAnswer{}, refusedAs(rest)
	case typeNetworkAnswer:
	default:
		return NetworkAnswer{}, nil
	}
	a, err := parseNetworkAnswer(rest)
	if err != nil {
		return a, err
	}
	if len(m.descriptors) == 1 {
		a.Number = m.descriptors[0]
	}
	if m.truncated {
		a.Errno, a.Text = int(unix.EMFILE), "the socket was lost on the way: this process may open no more descriptors now"
	}
	return a, nil
}
