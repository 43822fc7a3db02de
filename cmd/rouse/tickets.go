package main

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/platform"
	"github.com/rouse-server/rouse/server/tickets"
)

const (
	ticketKeysName = "ticket-keys-"
	ticketKeysLook = time.Hour // how often it is looked whether a new key is due: a clock that jumps, or stood still, is noticed
)

// ticketKeys are the keys of TLS session tickets that the manager keeps for the next process. Without its store each process has
// keys of its own, which crypto/tls makes.
type ticketKeys struct {
	store *activation.Store
	name  string // of the keys in the store; empty: there are none
	keys  tickets.Keys
}

// takeTicketKeys takes up the keys of the process before. A crash between storing and removing has left two of them.
func takeTicketKeys(store *activation.Store) *ticketKeys {
	t := &ticketKeys{store: store}
	for _, d := range store.Take(ticketKeysName) {
		text, err := platform.ReadSealed(d.Number, tickets.Size)
		syscall.Close(d.Number)
		var keys tickets.Keys
		if err == nil {
			keys, err = tickets.Parse(text)
		}
		if err != nil || t.name != "" && keys.Newest() <= t.keys.Newest() {
			store.Forget(d.Name)
			continue
		}
		t.forget()
		t.name, t.keys = d.Name, keys
	}
	return t
}

// forget takes the keys out of the store.
func (t *ticketKeys) forget() {
	if t.name != "" {
		t.store.Forget(t.name)
	}
	t.name = ""
}

// renew makes a new key when one is due. It is in the store before anybody gets a ticket of it, so that a crash does not lose it.
func (t *ticketKeys) renew(now time.Time) error {
	if now.Before(t.keys.Due(now)) || !t.store.Works() {
		return nil
	}
	keys := t.keys.Renewed(now)
	fd, err := platform.Sealed("rouse ticket keys", keys.Bytes())
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	name := fmt.Sprintf("%s%d-%d", ticketKeysName, keys.Newest(), os.Getpid())
	if err := t.store.Keep(name, fd); err != nil {
		return err
	}
	t.forget()
	t.name, t.keys = name, keys
	return nil
}

// renewTicketKeys has new tickets encrypted by a key of today, which the next process knows too.
func (s *site) renewTicketKeys(now time.Time) {
	if s.certificate.store == nil || !s.tickets.store.Works() {
		s.tickets.forget()
		return
	}
	if err := s.tickets.renew(now); err != nil {
		notice(s.log, fmt.Sprintf("the manager's store does not take the keys of TLS session tickets, so clients cannot resume after a restart: %v", err))
	}
	if secrets := s.tickets.keys.Secrets(); len(secrets) > 0 {
		s.server.UseTicketKeys(secrets)
	}
}
