package handoff

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"
)

// closeWithin is how long a backend has to end its side of a session that the dispatcher ends.
const closeWithin = time.Second

// Events are called one after the other by a goroutine of the session, which holds no lock. nil ones are left out.
type Events struct {
	Accepted func(id uint64)         // the connection is in good hands; may come before Give has returned its id
	Credit   func()                  // Give may work again
	Leaving  func(returned []uint64) // it takes no more, and gives these back untouched; Give returns ErrAbsent now
	Ended    func(err error)         // the last call; Unaccepted tells what it had not accepted. nil: it ended in order
}

// Session is one registered backend process.
type Session struct {
	applicant *Applicant
	conn      *packets
	events    Events

	mu         sync.Mutex
	credit     int
	next       uint64 // the last id that was given
	unaccepted map[uint64]bool
	sockets    map[uint64]bool // that the backend has
	withdrawn  []uint64        // sockets of which it was not told yet
	full       bool            // the socket's queue was; its room is waited for
	shut       bool            // nothing is given any more: it is leaving, or the session ends
	closing    bool            // Close was called
	allowance  int             // messages that it may send at once: each that is given makes room for answers
	buffer     []byte          // of the message that is sent
	news       news            // that the events have not told yet
	telling    bool            // a goroutine tells them
}

// news is what happened since the events were called last.
type news struct {
	accepted []uint64
	credit   bool
	returned []uint64
	leaving  bool
	ended    bool
	err      error
}

// Admit begins a session. gives is Connection, or Listener for sockets of any kind. sockets is how many follow at once by
// GiveSocket: the backend waits for them before it starts. Held sockets are its own again until they are withdrawn.
func (a *Applicant) Admit(gives Kind, sockets int, e Events) (*Session, error) {
	s := &Session{applicant: a, conn: a.conn, events: e, credit: a.Credit, unaccepted: map[uint64]bool{}, sockets: map[uint64]bool{}, allowance: 64}
	for _, h := range a.Held {
		s.sockets[h.ID] = true
		s.next = max(s.next, h.ID)
	}
	word := slotTaken()
	if a.Slot == nil {
		w := welcomeFrame{gives: givesConnections, sockets: uint16(sockets)}
		if gives != Connection {
			w.gives = givesListeners
		}
		word = w.append(nil)
	} else if gives != Connection {
		return nil, fmt.Errorf("%s: in socketbox's protocol only connections can be given", a.Peer)
	}
	if err := a.conn.send(word); err != nil {
		a.end()
		return nil, fmt.Errorf("%s: %w", a.Peer, err)
	}
	go s.read()
	return s, nil
}

// Peer is who it is.
func (s *Session) Peer() Peer { return s.applicant.Peer }

// Pidfd is its process, -1 where unknown. It is closed when the session ends.
func (s *Session) Pidfd() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.applicant.Pidfd
}

// Protocol is rouse or socketbox.
func (s *Session) Protocol() string {
	if s.applicant.Slot != nil {
		return "socketbox"
	}
	return "rouse"
}

// slotCredit is what is said of a backend that cannot tell; its queue holds some hundred.
const slotCredit = 128

// Credit is how many connections it takes now.
func (s *Session) Credit() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.shut || s.full:
		return 0
	case s.applicant.Slot != nil:
		return slotCredit
	}
	return s.credit
}

// Unaccepted are the connections that were given and neither accepted nor returned, the oldest first.
func (s *Session) Unaccepted() []uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open()
}

func (s *Session) open() []uint64 {
	ids := make([]uint64, 0, len(s.unaccepted))
	for id := range s.unaccepted {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// Give passes a connection. The caller keeps its own descriptor until Accepted(id), which in socketbox's protocol comes at
// once. ErrFull says that there is no credit or no room in the socket's queue (Credit is called when that changes), ErrAbsent
// that the session is at its end; nothing was sent then.
func (s *Session) Give(fd int, m Meta) (id uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	legacy := s.applicant.Slot != nil
	switch {
	case s.shut:
		return 0, ErrAbsent
	case s.full || s.credit == 0 && !legacy:
		return 0, ErrFull
	}
	id = s.next + 1
	word := slotConnection()
	if !legacy {
		s.buffer = connectionFrame{id, m}.append(s.buffer[:0])
		if word = s.buffer; len(word) > mostBytes {
			return 0, fmt.Errorf("pass a connection: %d bytes that were read of it are too many for a message", len(m.Data))
		}
	}
	if err := s.send(word, fd); err != nil {
		return 0, err
	}
	s.next = id
	if legacy {
		s.news.accepted = append(s.news.accepted, id)
		s.tell()
		return id, nil
	}
	s.credit--
	s.allowance += 4
	s.unaccepted[id] = true
	return id, nil
}

// send sends one message. When there is no room the one who gives is told once there is. The session is locked.
func (s *Session) send(word []byte, descriptors ...int) error {
	err := s.conn.send(word, descriptors...)
	if errors.Is(err, ErrFull) && !s.full {
		s.full = true
		go s.untilRoom(err)
	}
	return err
}

func (s *Session) untilRoom(cause error) {
	if s.conn.writable(cause) != nil {
		return // it has ended, which the reader tells
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.full = false
	s.withdraw()
	s.news.credit = true
	s.tell()
}

// GiveSocket passes a listener or a packet socket, of which the caller keeps its own descriptor. name is what it is called,
// address where it is bound. It takes no credit. Errors are those of Give.
func (s *Session) GiveSocket(kind Kind, fd int, name, address string) (id uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shut || s.applicant.Slot != nil {
		return 0, ErrAbsent
	}
	id = s.next + 1
	if err := s.send(socketFrame{id, kind, name, address}.append(nil), fd); err != nil {
		return 0, err
	}
	s.next = id
	s.sockets[id] = true
	return id, nil
}

// Withdraw tells the backend to accept nothing more from a socket that it was given or offered, and to close it; as soon as
// there is room for the message. ErrAbsent: it has no such socket.
func (s *Session) Withdraw(id uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shut || !s.sockets[id] {
		return ErrAbsent
	}
	delete(s.sockets, id)
	s.withdrawn = append(s.withdrawn, id)
	return s.withdraw()
}

// withdraw tells of what was withdrawn. The session is locked.
func (s *Session) withdraw() error {
	for len(s.withdrawn) > 0 {
		if err := s.send(appendWithdraw(nil, s.withdrawn[0])); errors.Is(err, ErrFull) {
			return nil // untilRoom goes on
		} else if err != nil {
			return err
		}
		s.withdrawn = s.withdrawn[1:]
	}
	return nil
}

// Close ends the session in order: nothing more is given. The backend accepts what it has in hand, and Ended is called when it has
// closed its side, or after a second.
func (s *Session) Close() { s.end("the dispatcher ends the session") }

func (s *Session) end(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return
	}
	s.shut, s.closing = true, true
	s.conn.file.SetDeadline(time.Now().Add(closeWithin))
	if s.applicant.Slot != nil {
		s.conn.file.SetReadDeadline(time.Now()) // it knows no such word
		return
	}
	go s.conn.push(appendEnd(nil, reason))
}

// read takes what the backend says, until it ends.
func (s *Session) read() {
	buffer := make([]byte, mostWords)
	var err error
	for err == nil {
		var m message
		if m, err = s.conn.receive(buffer, 0); err == nil {
			err = s.understand(m)
			s.tellHere()
		}
	}
	if errors.Is(err, errFrame) {
		s.end(err.Error())
		s.drain(buffer)
	}
	s.over(err)
}

// drain waits until a backend that was told of its mistake has closed. What it accepts meanwhile is its own: nobody else may
// get what it reads.
func (s *Session) drain(buffer []byte) {
	for {
		m, err := s.conn.receive(buffer, 0)
		if err != nil {
			return
		}
		s.understand(m)
		s.tellHere()
	}
}

// over closes everything, and says so last of all.
func (s *Session) over(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	inOrder := s.shut && (err == io.EOF || errors.Is(err, os.ErrDeadlineExceeded))
	switch {
	case inOrder:
		err = nil
	case err == io.EOF:
		err = errors.New("the backend has closed its connection to the dispatcher")
	}
	s.shut = true
	s.applicant.end()
	s.news.ended, s.news.err = true, err
	s.tell()
}

// understand does what a message asks for.
func (s *Session) understand(m message) error {
	if s.applicant.Slot != nil {
		return fmt.Errorf("%w: in socketbox's protocol a registered backend says nothing", errFrame)
	}
	if m.cut {
		return fmt.Errorf("%w: it is longer than %d bytes", errFrame, mostWords)
	}
	kind, rest, err := frameOf(m.data)
	if err != nil {
		return err
	}
	switch kind {
	case typeAccepted:
		a, err := parseAccepted(rest)
		if err != nil {
			return err
		}
		return s.accept(a)
	case typeLeaving:
		return s.leave((&fields{rest: rest}).end())
	case typeCredit:
		grant, err := parseCredit(rest)
		if err != nil {
			return err
		}
		s.grant(grant)
	case typeHello, typeStatusRequest, typeNetworkHello, typeNetworkRequest:
		return fmt.Errorf("%w: type %d has no place in a session", errFrame, kind)
	}
	s.slow()
	return nil
}

func (s *Session) accept(a acceptedFrame) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range a.ids {
		if !s.unaccepted[id] {
			return fmt.Errorf("%w: it accepts connection %d, which is not its own or was accepted before", errFrame, id)
		}
		delete(s.unaccepted, id)
		s.news.accepted = append(s.news.accepted, id)
	}
	s.add(a.grant)
	return nil
}

func (s *Session) grant(n uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(n)
}

func (s *Session) add(n uint32) {
	if n > 0 && !s.shut {
		s.credit = int(min(int64(s.credit)+int64(n), mostCredit))
		s.news.credit = true
	}
}

func (s *Session) leave(err error) error {
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.news.leaving || s.shut && !s.closing {
		return fmt.Errorf("%w: it leaves twice", errFrame)
	}
	s.shut = true
	s.news.leaving, s.news.returned = true, s.open()
	clear(s.unaccepted)
	return nil
}

// slow makes a backend wait that talks more than it was given reason to: its messages stay in its own queue.
func (s *Session) slow() {
	s.mu.Lock()
	s.allowance--
	pause := s.allowance < 0
	if pause {
		s.allowance = 0
	}
	s.mu.Unlock()
	if pause {
		time.Sleep(time.Millisecond)
	}
}

// tellHere calls the events, unless another goroutine does. It is for the reader, which is awake already: to start another one for
// each message would wake a thread as well.
func (s *Session) tellHere() {
	s.mu.Lock()
	busy := s.telling
	s.telling = true
	s.mu.Unlock()
	if !busy {
		s.callEvents()
	}
}

// tell sees that the events are called. The session is locked.
func (s *Session) tell() {
	if !s.telling {
		s.telling = true
		go s.callEvents()
	}
}

func (s *Session) callEvents() {
	for {
		s.mu.Lock()
		n := s.news
		s.news = news{}
		if n.accepted == nil && !n.credit && !n.leaving && !n.ended {
			s.telling = false
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		n.call(s.events)
	}
}

func (n news) call(e Events) {
	if e.Accepted != nil {
		for _, id := range n.accepted {
			e.Accepted(id)
		}
	}
	if n.credit && !n.ended && e.Credit != nil {
		e.Credit()
	}
	if n.leaving && e.Leaving != nil {
		e.Leaving(n.returned)
	}
	if n.ended && e.Ended != nil {
		e.Ended(n.err)
	}
}
