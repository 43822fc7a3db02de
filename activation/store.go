package activation

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/platform"
)

const (
	// storePrefix begins the names under which the manager keeps descriptors of ours. No socket unit has such a name.
	storePrefix = "rouse-store/"
	// boundPrefix begins those of sockets that were bound here.
	boundPrefix = storePrefix + "bound/"
	// storeReserve is how many descriptors always find room beside the sockets: what is replaced is there twice for a moment.
	storeReserve = 2
)

// Store is the manager's store of descriptors (FileDescriptorStoreMax= of systemd.service(5)). What is kept there comes back to
// the next process after a restart or a crash: sockets that were bound here, so that clients in their queues wait meanwhile, and
// secrets in memory. Without such a manager nothing is kept.
type Store struct {
	lock    sync.Mutex
	most    int               // how many descriptors it takes; 0: there is none
	back    []Descriptor      // came back, and nobody has taken them yet
	kept    map[string]func() // what is in it, by name, and what removes the file of a unix socket; nil: nothing does
	notices []string
}

// takeStore takes what came back from the store out of the passed sockets, and reads and unsets FDSTORE.
func takeStore(passed *listenFDs, lookup func(string) (string, bool), unset func(string) error) *Store {
	s := &Store{kept: map[string]func(){}}
	text, _ := lookup("FDSTORE")
	if most, err := strconv.ParseUint(text, 10, 31); err == nil {
		s.most = int(most)
	}
	unset("FDSTORE")
	if passed.unaddressed {
		return s // they may be another process's
	}
	passed.descriptors = slices.DeleteFunc(passed.descriptors, func(d Descriptor) bool {
		ours := strings.HasPrefix(d.Name, storePrefix) || d.Name == "stored" && s.most > 0 // as systemd calls what was stored without a name
		if ours {
			unix.CloseOnExec(d.Number)
			d.kept = true
			s.back = append(s.back, d)
			s.kept[d.Name] = nil
		}
		return ours
	})
	passed.stored = len(s.back)
	return s
}

// Works tells whether the manager keeps descriptors.
func (s *Store) Works() bool { return s.most > 0 }

// Returned lists what came back and was not taken.
func (s *Store) Returned() []Descriptor { return slices.Clone(s.back) }

// Take gives the descriptors that came back under names that Keep was given and that begin so. They stay in the store.
func (s *Store) Take(name string) []Descriptor {
	s.lock.Lock()
	defer s.lock.Unlock()
	var taken []Descriptor
	s.back = slices.DeleteFunc(s.back, func(d Descriptor) bool {
		rest, ours := strings.CutPrefix(d.Name, storePrefix)
		found := ours && strings.HasPrefix(rest, name)
		if found {
			d.Name = rest
			taken = append(taken, d)
		}
		return found
	})
	return taken
}

// KeptAs tells whether Keep was given a name that begins so for a descriptor of Returned.
func KeptAs(d Descriptor, name string) bool { return strings.HasPrefix(d.Name, storePrefix+name) }

// Room tells whether the manager would keep one more socket.
func (s *Store) Room() bool {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.room()
}

func (s *Store) room() bool { return len(s.kept) < s.most-storeReserve }

// Keep has the manager keep a copy of a descriptor under a name, which is not in the store yet.
func (s *Store) Keep(name string, fd int) error {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.keep(storePrefix+name, fd)
}

func (s *Store) keep(name string, fd int) error {
	// It is not to be polled: a listener is not to leave the store by itself, and memory cannot be polled.
	err := notifyWith(fd, "FDSTORE=1\nFDNAME="+name+"\nFDPOLL=0")
	if err == nil {
		s.kept[name] = nil
	}
	return err
}

// Forget has the manager close its copy.
func (s *Store) Forget(name string) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.forget(storePrefix + name)
}

func (s *Store) forget(name string) {
	delete(s.kept, name)
	notify(managerPatience, "FDSTOREREMOVE=1\nFDNAME="+name)
}

// Settle ends the start: what came back and nobody has taken is closed and leaves the store, or its clients would wait for
// nobody. It returns what there is to say.
func (s *Store) Settle() (notices []string) {
	s.lock.Lock()
	defer s.lock.Unlock()
	for _, d := range s.back {
		s.drop(d)
		if address, bound := boundName(d.Name); bound {
			s.notices = append(s.notices, address+" was kept over the restart, and is closed now: no address names it any more")
		} else {
			s.notices = append(s.notices, fmt.Sprintf("the manager kept %q, which nothing here is for: it is closed, and removed from its store", d.Name))
		}
	}
	s.back = nil
	notices, s.notices = s.notices, nil
	return notices
}

func (s *Store) drop(d Descriptor) {
	unix.Close(d.Number)
	s.forget(d.Name)
}

// Holds tells whether the socket of an address that is to be bound came back.
func (s *Store) Holds(a Address) bool {
	return slices.ContainsFunc(s.back, func(d Descriptor) bool { return sameBound(d.Name, nameOf(a)) })
}

// bind returns the socket of an address that came back, or binds it and has it kept.
func (s *Store) bind(a Address) ([]Socket, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if socket, ok := s.restore(a); ok {
		return []Socket{socket}, nil
	}
	sockets, err := bindHere(a)
	if errors.Is(err, syscall.EADDRINUSE) && s.clear(a) {
		sockets, err = bindHere(a)
	}
	if err == nil && s.Works() {
		s.keepBound(a, &sockets[0])
	}
	return sockets, err
}

func bindHere(a Address) ([]Socket, error) {
	switch a.Source {
	case "tcp":
		return bindTCP(a)
	case "udp":
		return bindUDP(a)
	}
	return bindUnix(a)
}

// restore makes the socket of one that came back. What cannot be used any more is dropped.
func (s *Store) restore(a Address) (socket Socket, ok bool) {
	for _, d := range slices.Clone(s.back) {
		if ok || !sameBound(d.Name, nameOf(a)) {
			continue
		}
		s.back = slices.DeleteFunc(s.back, func(other Descriptor) bool { return other.Number == d.Number })
		revived, remove, err := revive(a, d)
		if err != nil {
			s.notices = append(s.notices, fmt.Sprintf("%s was kept over the restart, and is bound anew: %v", a, err))
			s.forget(d.Name)
			barrier()
			continue
		}
		socket, ok = revived, true
		socket.kept, s.kept[d.Name] = d.Name, remove
	}
	return socket, ok
}

// revive makes a socket of a descriptor, which it closes. remove removes the file of a unix socket.
func revive(a Address, d Descriptor) (s Socket, remove func(), err error) {
	info, err := platform.Describe(d.Number)
	wanted := map[bool]platform.State{true: platform.Bound, false: platform.Listening}[a.Source == "udp"]
	if err == nil && info.State != wanted {
		err = fmt.Errorf("it is %s", info.State)
	}
	if err == nil {
		err = a.stillThere()
	}
	if err != nil {
		unix.Close(d.Number)
		return s, nil, err
	}
	s = Socket{Source: a.String(), Number: -1, Kind: Listener, Info: info}
	if a.Source == "udp" {
		f := os.NewFile(uintptr(d.Number), s.Source)
		defer f.Close()
		s.Kind = Packet
		s.packets, err = net.FilePacketConn(f)
		return s, nil, err
	}
	if s.Listener, err = listener(d.Number, s); err == nil && a.file() {
		var own net.Listener
		if own, err = removingOwn(s.Listener, a.Detail); err == nil {
			s.Listener, remove = own.(ownFile).UnixListener, own.(ownFile).remove
		}
	}
	return s, remove, err
}

// stillThere says why nobody finds a unix socket any more.
func (a Address) stillThere() error {
	if !a.file() {
		return nil
	}
	st, err := os.Lstat(a.Detail)
	if err == nil && st.Mode().Type() != os.ModeSocket {
		err = errors.New("something else is in its place")
	}
	return err
}

// file tells whether the address is a unix socket with a file.
func (a Address) file() bool { return a.Source == "unix" && !strings.HasPrefix(a.Detail, "@") }

// clear drops what came back and is in the way of an address: the same one with other options, or a wider or narrower one.
func (s *Store) clear(a Address) (dropped bool) {
	s.back = slices.DeleteFunc(s.back, func(d Descriptor) bool {
		info, err := platform.Describe(d.Number)
		if _, bound := boundName(d.Name); !bound || err != nil || !a.meets(info) {
			return false
		}
		s.drop(d)
		dropped = true
		return true
	})
	if dropped {
		barrier()
	}
	return dropped
}

// meets tells whether a socket may be in the way of an address.
func (a Address) meets(info platform.Socket) bool {
	if a.Source == "unix" {
		return info.Local == a.Detail
	}
	hostPort, err := a.hostPort()
	_, port, _ := net.SplitHostPort(hostPort)
	_, held, _ := net.SplitHostPort(info.Local)
	return err == nil && port == held && (info.Type == platform.Datagram) == (a.Source == "udp")
}

// keepBound has a socket kept that was bound now. Its file, if it has one, then stays for the next process.
func (s *Store) keepBound(a Address, socket *Socket) {
	if !s.room() {
		s.notices = append(s.notices, fmt.Sprintf("%s is not kept over a restart: the manager's store has room for %d, and %d are reserved; raise FileDescriptorStoreMax=, and $FDSTORE with it", a, s.most, storeReserve))
		return
	}
	own, hasFile := socket.Listener.(ownFile)
	var conn syscall.Conn
	switch {
	case hasFile:
		conn = own.UnixListener
	case socket.Listener != nil:
		conn = socket.Listener.(syscall.Conn)
	default:
		conn = socket.packets.(syscall.Conn)
	}
	name := s.freeName(nameOf(a))
	if err := withDescriptor(conn, func(fd int) error { return s.keep(name, fd) }); err != nil {
		s.notices = append(s.notices, fmt.Sprintf("%s is not kept over a restart: %v", a, err))
		return
	}
	socket.kept = name
	if hasFile {
		socket.Listener, s.kept[name] = own.UnixListener, own.remove
	}
}

// release has the manager close its copy of a socket that was bound here, and is not wanted any more.
func (s *Store) release(name string) {
	s.lock.Lock()
	defer s.lock.Unlock()
	remove, kept := s.kept[name]
	if !kept {
		return
	}
	if remove != nil {
		remove()
	}
	s.forget(name)
	barrier() // or who binds it again finds it taken
}

// Release closes sockets of Hold for good, also where the manager keeps those that were bound here.
func (o *Opener) Release(held []Held) {
	for _, h := range held {
		h.Close()
		o.Store.release(h.kept)
	}
}

// nameOf is the name of a bound socket in the store, which is ASCII, without colons and not longer than 255 bytes
// (sd_pid_notify_with_fds(3)). With other options it is another socket, but the PROXY header is none of the socket's.
func nameOf(a Address) string {
	options := url.Values{}
	for option, values := range a.Options {
		if option != "proxy" {
			options[option] = values
		}
	}
	text := a.String()
	if len(options) > 0 {
		text += "?" + options.Encode()
	}
	name := boundPrefix + url.QueryEscape(text)
	if len(name) > 250 { // # and a number may follow
		name = fmt.Sprintf("%s%s-%x", boundPrefix, a.Source, sha256.Sum256([]byte(text)))
	}
	return name
}

// freeName numbers what is bound twice, such as tcp:127.0.0.1:0.
func (s *Store) freeName(name string) string {
	free := name
	for n := 2; ; n++ {
		if _, taken := s.kept[free]; !taken {
			return free
		}
		free = name + "#" + strconv.Itoa(n)
	}
}

func sameBound(numbered, name string) bool {
	base, _, _ := strings.Cut(numbered, "#")
	return base == name
}

// boundName is the address in the name of a bound socket.
func boundName(name string) (address string, ok bool) {
	base, _, _ := strings.Cut(name, "#")
	escaped, ok := strings.CutPrefix(base, boundPrefix)
	address, err := url.QueryUnescape(escaped)
	return address, ok && err == nil
}

// BoundAddress is the address that a descriptor of Returned was bound to; empty for another one.
func (d Descriptor) BoundAddress() string {
	address, _ := boundName(d.Name)
	return address
}
