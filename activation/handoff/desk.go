package handoff

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/platform"
)

// What strangers may take of a desk.
const (
	mostSilent   = 64              // that have not said what they want
	mostSpeaking = 4               // first messages, with their descriptors, that nobody has answered yet: the others wait in the kernel
	mostPerUser  = 1000            // connections of one user, sessions included
	speakWithin  = 5 * time.Second // for the first message, and for who does not read an answer
)

// Desk is the unix socket of a dispatcher where backends register.
type Desk struct {
	path   string
	file   *os.File
	raw    syscall.RawConn
	remove func() // the socket file

	spoken chan *Applicant // those of which the first message is there
	ears   chan struct{}   // one word for each of them
	closed chan struct{}
	close  func() error

	mu      sync.Mutex
	silent  []*Applicant // the oldest first
	perUser map[uint32]int
}

// OpenDesk binds and listens at path; owner and group -1 leave them as they are. A socket file that a dead process left is
// replaced; that of the living is an error.
func OpenDesk(path string, mode fs.FileMode, owner, group int) (*Desk, error) {
	fd, err := newSeqpacket()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	remove, err := bindAt(fd, path, mode, owner, group)
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	d := &Desk{
		path: path, file: os.NewFile(uintptr(fd), path), remove: remove,
		spoken: make(chan *Applicant), ears: make(chan struct{}, mostSpeaking), closed: make(chan struct{}), perUser: map[uint32]int{},
	}
	d.close = sync.OnceValue(d.end)
	if d.raw, err = d.file.SyscallConn(); err != nil {
		d.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	go d.accept()
	return d, nil
}

// Path is where it is.
func (d *Desk) Path() string { return d.path }

// Next waits for the next applicant of which the first message is there. After Close it returns net.ErrClosed.
func (d *Desk) Next(ctx context.Context) (*Applicant, error) {
	select {
	case a := <-d.spoken:
		return a, nil
	case <-d.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Close ends it: nobody can register any more. Sessions go on.
func (d *Desk) Close() error { return d.close() }

func (d *Desk) end() error {
	close(d.closed)
	d.remove()
	d.mu.Lock()
	silent := d.silent
	d.silent = nil
	d.mu.Unlock()
	for _, a := range silent {
		a.conn.close() // its goroutine ends
	}
	return d.file.Close()
}

// accept takes who connects. Whatever is wrong with one of them, or with the machine for a while, it goes on.
func (d *Desk) accept() {
	for rest := 5 * time.Millisecond; ; {
		var fd int
		var err error
		if d.raw.Read(func(desk uintptr) bool {
			fd, err = acceptPackets(int(desk))
			return err != unix.EAGAIN
		}) != nil {
			return // closed
		}
		if err == nil {
			rest = 5 * time.Millisecond
			d.meet(fd)
			continue
		}
		select {
		case <-d.closed:
			return
		case <-time.After(rest): // EMFILE and the like end by themselves
			rest = min(2*rest, time.Second)
		}
	}
}

// meet lets one that connected speak.
func (d *Desk) meet(fd int) {
	conn, err := newPackets(fd, d.path)
	if err != nil {
		return
	}
	who, err := conn.peer()
	if err != nil || !d.enter(who.UID) {
		conn.send(refusedFrame{again: true, reason: "this user has too many connections here"}.append(nil))
		conn.close()
		return
	}
	a := &Applicant{Peer: who, Pidfd: -1, conn: conn}
	a.leave = sync.OnceFunc(func() { d.exit(who.UID) })
	if !d.hear(a) {
		a.end()
		return
	}
	go d.listen(a)
}

func (d *Desk) enter(uid uint32) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.perUser[uid] >= mostPerUser {
		return false
	}
	d.perUser[uid]++
	return true
}

func (d *Desk) exit(uid uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.perUser[uid]--; d.perUser[uid] == 0 {
		delete(d.perUser, uid)
	}
}

// hear notes one that is silent still. Where there are too many, the oldest of the user that has the most has to go: who
// means it speaks at once.
func (d *Desk) hear(a *Applicant) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case <-d.closed:
		return false
	default:
	}
	if d.silent = append(d.silent, a); len(d.silent) <= mostSilent {
		return true
	}
	count := map[uint32]int{}
	for _, s := range d.silent {
		count[s.Peer.UID]++
	}
	oldest := -1
	for i, s := range d.silent {
		if oldest < 0 || count[s.Peer.UID] > count[d.silent[oldest].Peer.UID] {
			oldest = i
		}
	}
	d.silent[oldest].conn.close()
	d.silent = append(d.silent[:oldest], d.silent[oldest+1:]...)
	return true
}

// heard notes that it is not silent any more.
func (d *Desk) heard(a *Applicant) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, s := range d.silent {
		if s == a {
			d.silent = append(d.silent[:i], d.silent[i+1:]...)
			return
		}
	}
}

// listen reads the first message of an applicant and passes it on.
func (d *Desk) listen(a *Applicant) {
	a.conn.file.SetReadDeadline(time.Now().Add(speakWithin))
	err := a.speaks()
	if err == nil {
		select {
		case d.ears <- struct{}{}:
			defer func() { <-d.ears }()
		case <-d.closed:
		}
		a.conn.file.SetReadDeadline(time.Now().Add(speakWithin))
		err = a.read()
	}
	d.heard(a)
	a.conn.file.SetReadDeadline(time.Time{})
	if err != nil {
		switch {
		case errors.Is(err, errFrame):
			a.Refuse(err.Error())
		case errors.Is(err, errDescriptors):
			a.Later(err.Error())
		}
		a.end()
		return
	}
	a.Pidfd = a.conn.pidfd()
	a.conn.widen()
	select {
	case d.spoken <- a:
	case <-d.closed:
		a.Later("the dispatcher ends")
	}
}

// Applicant is a process that connected to the desk. One of Refuse, Later, AnswerStatus, Network and Admit ends it.
type Applicant struct {
	Peer  Peer
	Pidfd int // SO_PEERPIDFD, -1 where unknown; the session, the conversation or the refusal closes it
	Request

	conn  *packets
	leave func() // it counts no more for its user
}

// RequestKind is what an applicant wants.
type RequestKind string

const (
	WantsRegister RequestKind = "register" // connections or listeners
	WantsStatus   RequestKind = "status"   // one answer of JSON
	WantsNetwork  RequestKind = "network"  // sockets that are made for it, by one question after the other
)

// HeldSocket is a socket that a backend got in an earlier session and still has.
type HeldSocket struct {
	Number int // the descriptor, checked: a listener or a bound UDP socket
	ID     uint64
}

// Request is the first message of an applicant.
type Request struct {
	Kind    RequestKind
	Backend string       // empty for status and in socketbox's protocol
	Slot    *uint32      // the backend's number in socketbox's registration protocol; nil: Rouse's own
	Takes   string       // either, listener, connections or both
	Credit  int          // how many connections it takes from the start
	Held    []HeldSocket // who admits it owns them; a refusal closes them
}

// errDescriptors says that the kernel could not give us what was passed.
var errDescriptors = errors.New("descriptors were lost on the way: this process may open no more now")

// errForeign says that somebody speaks another protocol: an answer in ours would mean nothing, or something else.
var errForeign = errors.New("the first message is of no known protocol")

// speaks waits until the first message is there, and takes nothing.
func (a *Applicant) speaks() error {
	return a.conn.raw.Read(func(fd uintptr) bool { return platform.Readable(int(fd)) })
}

// read takes the first message and says what is wanted.
func (a *Applicant) read() error {
	m, err := a.conn.receive(make([]byte, mostWords), mostHeld)
	if err != nil {
		return err
	}
	if err := a.understand(m); err != nil {
		m.close()
		return err
	}
	return nil
}

func (a *Applicant) understand(m message) error {
	if m.truncated {
		return errDescriptors
	}
	if m.cut {
		return fmt.Errorf("%w: it is longer than %d bytes", errFrame, mostWords)
	}
	if slot, ok := parseSlot(m.data); ok && len(m.descriptors) == 0 {
		a.Request = Request{Kind: WantsRegister, Slot: &slot, Takes: "connections"}
		return nil
	}
	if !bytes.HasPrefix(m.data, []byte(magic)) {
		return errForeign
	}
	kind, rest, err := frameOf(m.data)
	if err != nil {
		return err
	}
	if kind != typeHello && len(m.descriptors) > 0 {
		return fmt.Errorf("%w: it holds descriptors", errFrame)
	}
	switch kind {
	case typeHello:
		return a.understandHello(rest, m.descriptors)
	case typeStatusRequest:
		a.Request = Request{Kind: WantsStatus}
		return (&fields{rest: rest}).end()
	case typeNetworkHello:
		a.Request = Request{Kind: WantsNetwork}
		a.Backend, err = parseNetworkHello(rest)
		return err
	}
	return fmt.Errorf("%w: the first message has type %d, which asks for nothing known", errFrame, kind)
}

func (a *Applicant) understandHello(b []byte, descriptors []int) error {
	h, err := parseHello(b)
	if err != nil {
		return err
	}
	if len(h.held) != len(descriptors) {
		return fmt.Errorf("%w: it offers %d sockets and holds %d descriptors", errFrame, len(h.held), len(descriptors))
	}
	var held []HeldSocket
	for i, fd := range descriptors {
		if listener, packet := CheckListener(fd), CheckPacket(fd); listener != nil && packet != nil {
			return fmt.Errorf("%w: of the socket that it offers with id %d: %w", errFrame, h.held[i], listener)
		}
		held = append(held, HeldSocket{Number: fd, ID: h.held[i]})
	}
	a.Request = Request{Kind: WantsRegister, Backend: h.backend, Takes: h.takes, Credit: int(min(h.credit, mostCredit)), Held: held}
	return nil
}

// Refuse tells it why it will never be taken, and closes it and what it holds.
func (a *Applicant) Refuse(reason string) { a.refuse(refusedFrame{reason: reason}) }

// Later tells it why it is not taken now, and closes it and what it holds; it will try again.
func (a *Applicant) Later(reason string) { a.refuse(refusedFrame{again: true, reason: reason}) }

func (a *Applicant) refuse(r refusedFrame) {
	if a.Slot == nil { // socketbox's protocol has no word for it
		a.conn.send(r.append(nil))
	}
	for _, h := range a.Held {
		unix.Close(h.Number)
	}
	a.Held = nil
	a.end()
}

func (a *Applicant) end() {
	a.conn.close()
	closePidfd(a.Pidfd)
	a.Pidfd = -1
	a.leave()
}

func closePidfd(fd int) {
	if fd >= 0 {
		unix.Close(fd)
	}
}

// AnswerStatus sends the answer and closes the applicant. It waits for a slow reader, at most 5 s in all.
func (a *Applicant) AnswerStatus(json []byte) error {
	defer a.end()
	a.conn.file.SetWriteDeadline(time.Now().Add(speakWithin))
	for {
		n := min(len(json), statusPiece)
		if err := a.conn.push(appendStatus(nil, json[:n], n == len(json))); err != nil {
			return fmt.Errorf("answer to a question for the status, %s: %w", a.Peer, err)
		}
		if json = json[n:]; len(json) == 0 {
			return nil
		}
	}
}

// AskStatus asks the dispatcher whose desk is at path, and returns its JSON.
func AskStatus(ctx context.Context, path string) ([]byte, error) {
	conn, err := dialPackets(path)
	if err != nil {
		return nil, fmt.Errorf("%s: no dispatcher answers there: %w", path, err)
	}
	defer conn.close()
	defer context.AfterFunc(ctx, conn.close)()
	if err := conn.push(head(nil, typeStatusRequest)); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var json []byte
	buffer := make([]byte, mostBytes)
	for {
		m, err := conn.receive(buffer, 0)
		if err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, fmt.Errorf("%s: the dispatcher's answer: %w", path, err)
		}
		piece, last, err := statusOf(m)
		if err != nil {
			return nil, fmt.Errorf("%s: the dispatcher's answer: %w", path, err)
		}
		if json = append(json, piece...); last {
			return json, nil
		}
		if len(json) > mostStatus {
			return nil, fmt.Errorf("%s: the dispatcher's answer is longer than %d bytes", path, mostStatus)
		}
	}
}

// statusOf returns the piece that a message holds, or the refusal as an error.
func statusOf(m message) (piece []byte, last bool, err error) {
	kind, rest, err := frameOf(m.data)
	if err != nil {
		return nil, false, err
	}
	switch kind {
	case typeStatus:
		return parseStatus(rest)
	case typeRefused:
		r, err := parseRefused(rest)
		if err == nil {
			err = errors.New(r.reason)
		}
		return nil, false, err
	}
	return nil, false, nil // of a later version
}
