package handoff

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// link is one connection of a registration to a dispatcher.
type link struct {
	r     *Registration
	conn  *packets
	pidfd int // the dispatcher's process, -1 where unknown

	welcomed bool   // only the reader uses it
	kind     Kind   // the same
	expected uint16 // sockets that follow the welcome still; the same

	sending sync.Mutex

	// Guarded by the registration's mu.
	inHand  map[uint64]bool // returned by Next, not accepted yet
	pending []uint64        // accepted, and the dispatcher has to be told
	gone    bool            // nothing can be told any more
}

// errEnded says that the dispatcher has ended the session in order.
var errEnded = errors.New("the dispatcher has ended the session")

// accept tells the dispatcher that a connection is in good hands. It returns when that is told: who dies now has had it.
func (l *link) accept(id uint64) {
	l.r.mu.Lock()
	mine := l.inHand[id]
	if mine {
		delete(l.inHand, id)
		l.pending = append(l.pending, id)
	}
	l.r.mu.Unlock()
	if mine {
		l.flush()
	}
}

// decline leaves a connection that Next has returned to the dispatcher, which has it as long as it is not accepted.
func (l *link) decline(id uint64) {
	l.r.mu.Lock()
	defer l.r.mu.Unlock()
	delete(l.inHand, id)
}

// flush tells the dispatcher what there is to tell. Who comes while another one sends finds that all is sent, or sends for all
// that have come meanwhile.
func (l *link) flush() {
	l.sending.Lock()
	defer l.sending.Unlock()
	for {
		word := l.word()
		if word == nil || l.conn.push(word) != nil {
			return
		}
	}
}

// word is the next message to the dispatcher, nil when there is nothing to tell.
func (l *link) word() []byte {
	r := l.r
	r.mu.Lock()
	defer r.mu.Unlock()
	if l.gone || len(l.pending) == 0 && !r.due() {
		return nil
	}
	grant := uint32(r.unannounced)
	r.unannounced = 0
	if len(l.pending) == 0 {
		return appendCredit(nil, grant)
	}
	ids := l.pending[:min(len(l.pending), mostIDs)]
	word := acceptedFrame{grant, ids}.append(make([]byte, 0, 16+8*len(ids)))
	l.pending = slices.Delete(l.pending, 0, len(ids))
	return word
}

// acceptAll tells the dispatcher that what Next has returned is ours.
func (l *link) acceptAll() {
	l.r.mu.Lock()
	for id := range l.inHand {
		l.pending = append(l.pending, id)
		delete(l.inHand, id)
	}
	l.r.mu.Unlock()
	l.flush()
}

// leave tells the dispatcher that nothing more is taken: what was not accepted goes to others.
func (l *link) leave() {
	l.conn.file.SetWriteDeadline(time.Now().Add(closeWithin))
	l.acceptAll()
	l.sending.Lock()
	defer l.sending.Unlock()
	l.conn.push(head(nil, typeLeaving))
}

// read does what the dispatcher says, until it ends.
func (l *link) read() error {
	buffer := make([]byte, mostBytes)
	for {
		m, err := l.conn.receive(buffer, 1)
		if err != nil {
			return err
		}
		if err := l.understand(m); err != nil {
			return err
		}
	}
}

// understand does what a message asks for. The descriptors of the message are closed unless they found an owner.
func (l *link) understand(m message) error {
	owned := false
	defer func() {
		if !owned {
			m.close()
		}
	}()
	if m.truncated {
		return errDescriptors
	}
	if m.cut {
		return fmt.Errorf("%w: it is longer than %d bytes", errFrame, mostBytes)
	}
	kind, rest, err := frameOf(m.data)
	if err != nil {
		return err
	}
	switch kind {
	case typeWelcome:
		return l.welcome(rest)
	case typeRefused:
		return refusedAs(rest)
	case typeConnection, typeSocket:
		if !l.welcomed || len(m.descriptors) != 1 {
			return fmt.Errorf("%w: a socket comes before the welcome, or a message of type %d without one", errFrame, kind)
		}
		owned = true
		if kind == typeConnection {
			return l.connection(rest, m.descriptors[0])
		}
		return l.socket(rest, m.descriptors[0])
	case typeWithdraw:
		return l.withdraw(rest)
	case typeEnd:
		reason, err := parseEnd(rest)
		if err != nil {
			return err
		}
		return fmt.Errorf("%w: %s", errEnded, reason)
	}
	return nil // of a later version
}

func refusedAs(b []byte) error {
	said, err := parseRefused(b)
	if err != nil {
		return err
	}
	return refusal{said.again, "the dispatcher refuses: " + said.reason}
}

func (l *link) welcome(b []byte) error {
	w, err := parseWelcome(b)
	if err != nil {
		return err
	}
	if l.welcomed || w.gives == givesNetwork {
		return fmt.Errorf("%w: an unexpected welcome", errFrame)
	}
	l.kind = Connection
	if w.gives == givesListeners {
		l.kind = Listener
	}
	l.welcomed, l.expected = true, w.sockets
	if err := l.r.welcome(l, l.kind); err != nil {
		return err
	}
	if w.sockets == 0 {
		l.r.admit(l.kind)
	}
	l.flush() // what was granted while we said hello
	return nil
}

// connection takes one, if it is one.
func (l *link) connection(b []byte, fd int) error {
	c, err := parseConnection(b)
	if err != nil {
		unix.Close(fd)
		return err
	}
	wrong := CheckConnection(fd, l.r.options.Accepts)
	due, err := l.take(c, fd, wrong)
	if wrong != nil || err != nil {
		unix.Close(fd)
	}
	if wrong != nil && !errors.Is(wrong, errGone) {
		l.r.refusals.say("a connection that the dispatcher passed is refused", "err", wrong)
	}
	if due {
		l.flush()
	}
	return err
}

// take counts a connection, and enqueues it unless something is wrong with it. It says whether the dispatcher has to be told
// something now.
func (l *link) take(c connectionFrame, fd int, wrong error) (due bool, err error) {
	r := l.r
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.granted-r.unannounced < 1 {
		return false, fmt.Errorf("%w: a connection without credit", errFrame)
	}
	if wrong != nil { // the dispatcher need not keep it
		l.pending = append(l.pending, c.id)
		r.unannounced++
		return true, nil
	}
	r.granted--
	r.enqueue(&queued{&Arrival{Kind: Connection, Number: fd, Meta: c.meta}, c.id, l})
	return r.due(), nil
}

// socket takes a listener or a packet socket.
func (l *link) socket(b []byte, fd int) error {
	s, err := parseSocket(b)
	if err == nil {
		check := CheckListener
		if s.kind == Packet {
			check = CheckPacket
		}
		err = check(fd)
	}
	var duplicate int
	if err == nil {
		duplicate, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	}
	if err == nil {
		err = l.hold(s, fd, duplicate)
	}
	if err != nil {
		unix.Close(fd)
		return fmt.Errorf("a %s that the dispatcher passed: %w", s.kind, err)
	}
	if l.expected > 0 {
		if l.expected--; l.expected == 0 {
			l.r.admit(l.kind)
		}
	}
	return nil
}

// hold keeps a socket's duplicate, and gives the socket to Assigned or Next.
func (l *link) hold(s socketFrame, fd, duplicate int) error {
	r := l.r
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, twice := r.held[s.id]; twice || len(r.held) >= mostHeld {
		unix.Close(duplicate)
		return fmt.Errorf("%w: id %d is in use, or there are more than %d", errFrame, s.id, mostHeld)
	}
	r.held[s.id] = heldSocket{duplicate, s.kind}
	a := &Arrival{Kind: s.kind, Number: fd, ID: s.id, Meta: Meta{Listener: s.name}}
	if r.kind == "" && l.expected > 0 && r.options.Takes != "both" {
		r.first = append(r.first, a)
		return nil
	}
	r.enqueue(&queued{a, s.id, nil})
	return nil
}

func (l *link) withdraw(b []byte) error {
	id, err := parseWithdraw(b)
	if err != nil {
		return err
	}
	r := l.r
	r.mu.Lock()
	defer r.mu.Unlock()
	h, ok := r.held[id]
	if !ok {
		return nil
	}
	unix.Close(h.number)
	delete(r.held, id)
	for i, q := range r.queue { // nobody has seen it yet
		if q.ID == id && q.Kind != Connection {
			q.close()
			r.queue = slices.Delete(r.queue, i, i+1)
			return nil
		}
	}
	r.enqueue(&queued{&Arrival{Kind: Withdrawn, Number: -1, ID: id}, id, nil})
	return nil
}

// over decides what becomes of the connections that Next has not returned when the link has ended.
//
// A dispatcher that died has them no more: they are ours. One that lives gives what was not accepted to other backends: it has
// said so, or we turn away from it ourselves (it broke the protocol, or we can take no descriptor).
func (l *link) over(err error) error {
	mine := false
	switch {
	case l.r.life.Err() != nil, !l.welcomed: // Close has left it, or there is nothing to decide
	case errors.Is(err, errEnded):
		l.conn.file.SetWriteDeadline(time.Now().Add(closeWithin))
		l.acceptAll()
	case errors.Is(err, errFrame), errors.Is(err, errDescriptors):
		l.leave()
	default:
		mine = l.died()
	}
	l.settle(mine)
	if err == io.EOF {
		err = errors.New("the dispatcher has closed the connection")
	}
	return err
}

// died waits until the dispatcher's process is seen to have ended. Its sockets close a moment before that. Where the kernel
// does not tell who it is the closed connection has to be enough.
func (l *link) died() bool {
	if l.pidfd < 0 {
		return true
	}
	polled := []unix.PollFd{{Fd: int32(l.pidfd), Events: unix.POLLIN}}
	deadline := time.Now().Add(closeWithin)
	for {
		n, err := unix.Poll(polled, int(max(0, time.Until(deadline).Milliseconds())))
		if err != unix.EINTR {
			return n > 0
		}
	}
}

// settle makes the connections of the link that wait in the queue ours, or leaves them to others.
func (l *link) settle(mine bool) {
	r := l.r
	r.mu.Lock()
	defer r.mu.Unlock()
	l.gone = true
	if r.link == l {
		r.link = nil
	}
	var kept []*queued
	for _, q := range r.queue {
		switch {
		case q.link != l:
		case mine:
			q.link = nil
		default:
			q.close()
			r.granted++
			continue
		}
		kept = append(kept, q)
	}
	r.queue = kept
}
