package wake

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/activation/relay"
	"github.com/rouse-server/rouse/platform"
)

// place is where the program listens for the clients of some held sockets: of one, or of one for each family.
type place struct {
	bind     string // in messages
	sockets  []*socket
	path     string           // of the program's unix socket, or empty
	searched bool             // addresses are found by looking at the program's processes
	blocking map[*socket]bool // sockets that were made nonblocking, and did block
	doors    []*relay.Door

	mu        sync.Mutex
	addresses []netip.AddrPort // where the program is dialled, in turn
	spare     net.Conn         // the connection that showed that the program listens, for the first client
}

// newPlaces finds out, or plans to, where the program listens for which sockets.
func newPlaces(c Config) ([]*place, error) {
	sockets := newSockets(c.Sockets)
	for _, s := range sockets {
		if s.transport == udp {
			return nil, refused("%s is a UDP socket, and proxy mode carries connections only: use listener mode, or leave the socket out", s)
		}
	}
	if len(sockets) == 0 {
		return nil, refused("proxy mode needs a listening socket, and there is none: start it by a socket unit, or name one such as --listen tcp:127.0.0.1:8080")
	}
	if len(c.Maps) == 0 {
		return unmapped(c, sockets)
	}
	rules, err := resolve(c.Maps, sockets)
	if err != nil {
		return nil, err
	}
	var places []*place
	given := map[*socket]rule{}
	for _, r := range rules {
		for _, s := range r.sockets {
			if other, twice := given[s]; twice {
				return nil, refused("maps %s and %s: in proxy mode the clients of %s can be carried to one of them only: leave one out", other.Text, r.Text, s)
			}
			given[s] = r
		}
		p := &place{bind: r.Bind, sockets: r.sockets, path: r.key.path, addresses: r.key.reachable(), blocking: map[*socket]bool{}}
		if err := p.conflict(r, sockets); err != nil {
			return nil, err
		}
		places = append(places, p)
	}
	for _, s := range sockets {
		if _, ok := given[s]; !ok {
			c.Log.Warn(fmt.Sprintf("no map names %s: its clients wait for nobody", s))
		}
	}
	return places, nil
}

// unmapped is the one place of a program of which nothing is said.
func unmapped(c Config, sockets []*socket) ([]*place, error) {
	for _, s := range sockets[1:] {
		if !s.samePlace(sockets[0]) {
			return nil, refused("proxy mode has several sockets (%s): say which bind each of them is for, such as --map 8080=%s --map 8443=%s", strings.Join(names(sockets), ", "), mapName(sockets[0]), mapName(s))
		}
	}
	if !canSearch {
		return nil, refused("in proxy mode it has to be said where the program listens: --map 8080=%s", mapName(sockets[0]))
	}
	if port := sockets[0].address.Port(); port != 0 && mentions(c.Command, port) {
		return nil, refused("the command names port %d, which %s holds, and in proxy mode the program cannot bind it too: let it listen on another port, and say which: --map %d=%s", port, sockets[0], anotherPort(port), mapName(sockets[0]))
	}
	return []*place{{bind: "the TCP port that the program opens", sockets: sockets, searched: true, blocking: map[*socket]bool{}}}, nil
}

// mapName is what a map calls the socket.
func mapName(s *socket) string { return cmp.Or(s.Name, s.Source) }

func names(sockets []*socket) []string {
	var all []string
	for _, s := range sockets {
		all = append(all, s.String())
	}
	return all
}

func (p *place) names() string { return strings.Join(names(p.sockets), " and ") }

// reachable is where a client of this machine reaches the bind of a key: any address means loopback.
func (k key) reachable() []netip.AddrPort {
	v4, v6 := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), k.port), netip.AddrPortFrom(netip.IPv6Loopback(), k.port)
	switch {
	case k.path != "":
		return nil
	case !k.host.IsValid():
		return []netip.AddrPort{v4, v6}
	case !k.host.IsUnspecified():
		return []netip.AddrPort{netip.AddrPortFrom(k.host, k.port)}
	case k.host.Is4():
		return []netip.AddrPort{v4}
	}
	return []netip.AddrPort{v6, v4}
}

// conflict refuses a place that is that of a held socket: the program could not bind it, and its clients would come back.
func (p *place) conflict(r rule, sockets []*socket) error {
	for _, s := range sockets {
		if p.path != "" && s.transport == local && cleanPath(s.Info.Local) == p.path {
			return refused("map %s: in proxy mode the program cannot bind %s itself: let it listen on another path, and map that", r.Text, s)
		}
		for _, a := range p.addresses {
			if s.covers(a) {
				return refused("map %s: in proxy mode the program cannot bind port %d, which %s holds: let it listen on another port, and map that: --map %d=%s", r.Text, a.Port(), s, anotherPort(a.Port()), r.Socket)
			}
		}
	}
	return nil
}

// covers tells whether clients of the address arrive at the socket.
func (s *socket) covers(a netip.AddrPort) bool {
	if !s.address.IsValid() || s.address.Port() != a.Port() {
		return false
	}
	own := s.address.Addr()
	return own.Unmap() == a.Addr() || own.IsUnspecified() && (own.Is4() == a.Addr().Is4() || s.dual())
}

// anotherPort is one to propose: 18080 for 8080.
func anotherPort(port uint16) uint16 {
	if port < 55536 {
		return port + 10000
	}
	return port - 10000
}

// mentions tells whether an argument is the port, or ends with it: 8080, -p=8080, 127.0.0.1:8080.
func mentions(command []string, port uint16) bool {
	text := strconv.Itoa(int(port))
	return slices.ContainsFunc(command[1:], func(word string) bool {
		before, ok := strings.CutSuffix(word, text)
		return ok && (before == "" || strings.HasSuffix(before, ":") || strings.HasSuffix(before, "="))
	})
}

// free refuses a place where somebody listens before the program does: it could not bind, and its clients would be
// carried to a stranger.
func (p *place) free() error {
	if p.searched {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	conn, err := p.connect(ctx)
	if err != nil {
		return nil
	}
	defer conn.Close()
	by := "another program"
	if tcp, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		by = cmp.Or(platform.PortHolder(tcp.Port), by)
	}
	return refused("%s answers on %s already, where the program is to listen: stop that, or let the program listen elsewhere and map it", by, conn.RemoteAddr())
}

// reach waits until the program listens, and returns a connection to it. Dialling at random could take the very port that
// the program is about to bind as the connection's own, so that where the system tells who listens nothing is dialled before.
func (p *place) reach(ctx context.Context, one *instance) (net.Conn, error) {
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		if p.listens(one) {
			if conn, err := p.connect(ctx); err == nil {
				return conn, nil
			}
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// listens tells whether it is worth while to dial.
func (p *place) listens(one *instance) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.searched {
		p.addresses, _ = search(one)
		return len(p.addresses) > 0
	}
	return p.path != "" || answered(p.addresses)
}

// lookAgain tells of ports that a searched program opened beside the one that its clients are carried to.
func (p *place) lookAgain(ctx context.Context, one *instance, log *slog.Logger) {
	if !p.searched {
		return
	}
	select {
	case <-ctx.Done():
		return
	case <-time.After(laterSockets):
	}
	p.mu.Lock()
	chosen := p.addresses[0]
	p.mu.Unlock()
	first, others := search(one)
	for _, a := range append(first, others...) {
		if a.Port() != chosen.Port() {
			log.Warn(fmt.Sprintf("the program listens on several ports, and its clients are carried to %s, not to %s: --map %d=%s says which is meant", chosen, a, chosen.Port(), mapName(p.sockets[0])))
			return
		}
	}
}

// dial gives a client its connection to the program.
func (p *place) dial(ctx context.Context) (net.Conn, error) {
	conn := p.takeSpare()
	switch {
	case conn == nil:
	case alive(conn):
		return conn, nil
	default: // the program that it was made to has ended
		conn.Close()
	}
	return p.connect(ctx)
}

// alive tells whether the other side of a connection has not closed it.
func alive(conn net.Conn) bool {
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return false
	}
	ended := false
	err = raw.Control(func(fd uintptr) {
		n, _, err := unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
		ended = err == nil && n == 0 || err != nil && err != unix.EAGAIN && err != unix.EINTR
	})
	return err == nil && !ended
}

func (p *place) connect(ctx context.Context) (net.Conn, error) {
	if p.path != "" {
		return relay.To("unix", p.path)(ctx)
	}
	p.mu.Lock()
	var addresses []string
	for _, a := range p.addresses {
		addresses = append(addresses, a.String())
	}
	p.mu.Unlock()
	return relay.To("tcp", addresses...)(ctx)
}

// keep stores a connection for the first client. If none comes soon it is closed, after the header that says that there
// was none.
func (p *place) keep(conn net.Conn, header relay.Header) {
	p.mu.Lock()
	p.spare = conn
	p.mu.Unlock()
	time.AfterFunc(time.Second, func() {
		p.mu.Lock()
		unused := p.spare == conn
		if unused {
			p.spare = nil
		}
		p.mu.Unlock()
		if unused {
			conn.Write(header.Local())
			conn.Close()
		}
	})
}

func (p *place) takeSpare() net.Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	conn := p.spare
	p.spare = nil
	return conn
}

func (p *place) dropSpare() {
	if conn := p.takeSpare(); conn != nil {
		conn.Close()
	}
}

// awaitTaken waits until the program has accepted all connections that were made to it, as far as the system tells.
func (p *place) awaitTaken(ctx context.Context) {
	for {
		p.mu.Lock()
		left := untaken(p.addresses, p.path)
		p.mu.Unlock()
		if left == 0 {
			return
		}
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return
		}
	}
}

// listener makes a listener of a duplicate of the held socket, which does not block as long as it is there.
func (p *place) listener(s *socket) (relay.Listener, error) {
	nonblock, err := nonblocking(s.Number)
	if err != nil {
		return nil, err
	}
	if !nonblock {
		p.blocking[s] = true
	}
	fd, err := unix.FcntlInt(uintptr(s.Number), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), s.Source)
	defer file.Close()
	l, err := net.FileListener(file)
	if err != nil {
		return nil, err
	}
	listener, ok := l.(relay.Listener)
	if !ok {
		l.Close()
		return nil, fmt.Errorf("%T cannot be accepted from", l)
	}
	return listener, nil
}

// restore makes the sockets block again that did.
func (p *place) restore() {
	for s := range p.blocking {
		unix.SetNonblock(s.Number, false)
	}
	clear(p.blocking)
}
