package handoff

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// socketbox's registration protocol, as PROTOCOL.md has it. It has no credits and no acknowledgements: a connection that was
// sent is gone, and how many the backend takes is how many fit into the socket's queue.

// registerSlot is the backend's first message.
func registerSlot(slot uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{1, 0, 0, 0}, slot)
}

// parseSlot tells a registration of socketbox from a frame of ours, which begins with other bytes.
func parseSlot(b []byte) (slot uint32, ok bool) {
	if len(b) != 8 || b[0] != 1 || b[1] != 0 || b[2] != 0 || b[3] != 0 {
		return 0, false
	}
	return binary.BigEndian.Uint32(b[4:]), true
}

func slotTaken() []byte      { return []byte{0x80, 0, 0, 0} }
func slotConnection() []byte { return []byte{3, 0, 0, 0} }

// slot registers in socketbox's protocol and takes connections until the dispatcher ends. It takes nothing from the socket
// that was not granted: there the connections wait.
func (l *link) slot(number uint32) error {
	if err := l.conn.push(registerSlot(number)); err != nil {
		return err
	}
	buffer := make([]byte, 128)
	m, err := l.conn.receive(buffer, 0)
	if err == io.EOF {
		return fmt.Errorf("the dispatcher closed the connection instead of an answer: slot %d is not this user's, not of this socket, or taken", number)
	}
	if err != nil {
		return err
	}
	if !bytes.Equal(m.data, slotTaken()) {
		return fmt.Errorf("%w: %x is not how socketbox answers", errFrame, m.data)
	}
	if err := l.r.welcome(nil, Connection); err != nil {
		return err
	}
	l.r.admit(Connection)
	for {
		if err := l.r.untilGranted(); err != nil {
			return err
		}
		m, err := l.conn.receive(buffer, 1)
		if err == io.EOF {
			return errors.New("the dispatcher has closed the connection")
		}
		if err != nil {
			return err
		}
		l.slotConnection(m)
	}
}

// slotConnection takes what one message holds. The data says nothing; a message without a connection is skipped.
func (l *link) slotConnection(m message) {
	if len(m.descriptors) == 0 {
		if m.truncated {
			l.r.refusals.say("a connection was lost on the way: this process may open no more descriptors now")
		}
		return
	}
	fd := m.descriptors[0]
	if wrong := CheckConnection(fd, l.r.options.Accepts); wrong != nil {
		unix.Close(fd)
		if !errors.Is(wrong, errGone) {
			l.r.refusals.say("a connection that the dispatcher passed is refused", "err", wrong)
		}
		return
	}
	l.r.mu.Lock()
	defer l.r.mu.Unlock()
	l.r.granted--
	l.r.enqueue(&queued{&Arrival{Kind: Connection, Number: fd}, 0, nil})
}

// untilGranted waits until a connection may be taken, or Close.
func (r *Registration) untilGranted() error {
	for {
		r.mu.Lock()
		granted := r.granted
		r.mu.Unlock()
		if granted > 0 {
			return nil
		}
		select {
		case <-r.room:
		case <-r.life.Done():
			return r.life.Err()
		}
	}
}
