package handoff

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
	"unicode"
	"unicode/utf8"
)

// Rouse's own protocol, version 1, as PROTOCOL.md has it: every message of the SEQPACKET socket is one frame. It begins with
// two bytes of magic, one of version and one of type; numbers are big-endian.
const (
	magic      = "RH"
	version    = 1
	headLength = 4
)

// The bounds of a message.
const (
	mostBytes   = 64 << 10 // of a frame to the backend
	mostWords   = 4 << 10  // of a frame to the dispatcher
	mostHeld    = 128      // sockets that a backend offers
	mostIDs     = 500      // ids in one frame
	mostALPN    = 32       // protocols of which a backend is told that the client offers them
	mostText    = 1 << 10  // bytes of a name or a reason
	mostCredit  = 1 << 20  // connections that a session is counted for; what is granted beyond is forgotten
	mostAsked   = 64       // questions of a conversation that are not answered yet
	statusPiece = 60 << 10 // bytes of JSON in one frame
	mostStatus  = 64 << 20 // bytes of JSON in all
)

// frameType is the fourth byte. Types that a receiver does not know are skipped, so that later versions can add some.
type frameType byte

const (
	typeHello          frameType = 1
	typeWelcome        frameType = 2
	typeRefused        frameType = 3
	typeConnection     frameType = 4
	typeSocket         frameType = 5
	typeWithdraw       frameType = 6
	typeAccepted       frameType = 7
	typeCredit         frameType = 8
	typeLeaving        frameType = 9
	typeEnd            frameType = 10
	typeStatusRequest  frameType = 11
	typeStatus         frameType = 12
	typeNetworkHello   frameType = 13
	typeNetworkRequest frameType = 14
	typeNetworkAnswer  frameType = 15
)

// The values of single bytes.
const (
	takesEither      = 1
	takesListener    = 2
	takesConnections = 3
	takesBoth        = 4

	givesConnections = 1
	givesListeners   = 2
	givesNetwork     = 3

	socketListener = 1
	socketPacket   = 2

	operationListen  = 1
	operationConnect = 2

	typeStream   = 1
	typeDatagram = 2

	flagReuseAddress = 1
	flagReusePort    = 2
	flagOnly6        = 4
	flagNoWait       = 8
)

// errFrame is what is wrong with a message that does not follow the protocol.
var errFrame = errors.New("the message does not follow the protocol")

type (
	helloFrame struct {
		backend string
		takes   string
		credit  uint32
		held    []uint64 // one descriptor for each
	}
	welcomeFrame struct {
		gives   byte
		sockets uint16 // how many follow at once
	}
	refusedFrame struct {
		again  bool
		reason string
	}
	connectionFrame struct {
		id   uint64
		meta Meta
	}
	socketFrame struct {
		id            uint64
		kind          Kind
		name, address string
	}
	acceptedFrame struct {
		grant uint32
		ids   []uint64
	}
)

// frameOf checks the head of a message and returns its type and what follows.
func frameOf(b []byte) (frameType, []byte, error) {
	if len(b) < headLength || string(b[:2]) != magic {
		return 0, nil, fmt.Errorf("%w: it does not begin with %q", errFrame, magic)
	}
	if b[2] != version {
		return 0, nil, fmt.Errorf("%w: it has version %d, this is version %d", errFrame, b[2], version)
	}
	return frameType(b[3]), b[headLength:], nil
}

func head(b []byte, t frameType) []byte { return append(b, magic[0], magic[1], version, byte(t)) }

func appendText(b []byte, s string) []byte {
	s = plain(s)
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

// plain is what may be sent as a name or a reason: valid UTF-8 without control characters, and not too long.
func plain(s string) string {
	if len(s) <= mostText && !unplain(s) {
		return s
	}
	var out []byte
	for _, r := range s {
		if unicode.IsControl(r) {
			r = utf8.RuneError
		}
		if len(out)+utf8.RuneLen(r) > mostText {
			break
		}
		out = utf8.AppendRune(out, r)
	}
	return string(out)
}

func unplain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f {
			return !utf8.ValidString(s) || slices.ContainsFunc([]rune(s), unicode.IsControl)
		}
	}
	return false
}

func appendAddress(b []byte, a netip.AddrPort) []byte {
	switch {
	case !a.Addr().IsValid():
		return append(b, 0)
	case a.Addr().Is4():
		b = append(append(b, 4), a.Addr().AsSlice()...)
		return binary.BigEndian.AppendUint16(b, a.Port())
	}
	sixteen := a.Addr().As16()
	b = append(append(b, 6), sixteen[:]...)
	return appendText(binary.BigEndian.AppendUint16(b, a.Port()), a.Addr().Zone())
}

func appendIDs(b []byte, ids []uint64) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(ids)))
	for _, id := range ids {
		b = binary.BigEndian.AppendUint64(b, id)
	}
	return b
}

// fields reads what follows the head. After the first mistake everything is zero; end tells it.
type fields struct {
	rest []byte
	err  error
}

func (f *fields) wrong(format string, a ...any) {
	if f.err == nil {
		f.err = fmt.Errorf("%w: %s", errFrame, fmt.Sprintf(format, a...))
	}
	f.rest = nil
}

func (f *fields) take(n int) []byte {
	if n > len(f.rest) {
		f.wrong("it ends too early")
	}
	if f.err != nil {
		return nil
	}
	taken := f.rest[:n]
	f.rest = f.rest[n:]
	return taken
}

func (f *fields) number(bytes int) (n uint64) {
	for _, c := range f.take(bytes) {
		n = n<<8 | uint64(c)
	}
	return n
}

func (f *fields) text() string {
	n := int(f.number(2))
	s := string(f.take(n))
	if n > mostText {
		f.wrong("a text of %d bytes is longer than %d", n, mostText)
	} else if unplain(s) {
		f.wrong("a text is not plain UTF-8")
	}
	if f.err != nil {
		return ""
	}
	return s
}

// oneOf reads a byte that has to be one of the first n numbers from 1.
func (f *fields) oneOf(n byte, what string) byte {
	c := byte(f.number(1))
	if f.err == nil && (c < 1 || c > n) {
		f.wrong("%s %d is unknown", what, c)
	}
	return c
}

func (f *fields) address() (a netip.AddrPort) {
	switch family := f.number(1); family {
	case 0:
	case 4:
		if b := f.take(4); b != nil {
			address, _ := netip.AddrFromSlice(b)
			a = netip.AddrPortFrom(address, uint16(f.number(2)))
		}
	case 6:
		if b := f.take(16); b != nil {
			address, _ := netip.AddrFromSlice(b)
			port := uint16(f.number(2))
			zone := f.text()
			if zone != "" && address.Is4In6() {
				f.wrong("an IPv4 address has no zone")
			}
			a = netip.AddrPortFrom(address.WithZone(zone), port)
		}
	default:
		f.wrong("address family %d is unknown", family)
	}
	if f.err != nil {
		return netip.AddrPort{}
	}
	return a
}

func (f *fields) ids(most int) []uint64 {
	n := int(f.number(2))
	if n > most {
		f.wrong("%d ids are more than %d", n, most)
	}
	b := f.take(8 * n)
	if len(b) == 0 {
		return nil
	}
	ids := make([]uint64, n)
	for i := range ids {
		ids[i] = binary.BigEndian.Uint64(b[8*i:])
	}
	return ids
}

func (f *fields) end() error {
	if f.err == nil && len(f.rest) > 0 {
		f.wrong("%d bytes too many", len(f.rest))
	}
	return f.err
}

func (h helloFrame) append(b []byte) []byte {
	b = appendText(head(b, typeHello), h.backend)
	b = append(b, takesByte(h.takes))
	return appendIDs(binary.BigEndian.AppendUint32(b, h.credit), h.held)
}

func takesByte(takes string) byte {
	switch takes {
	case "listener":
		return takesListener
	case "connections":
		return takesConnections
	case "both":
		return takesBoth
	}
	return takesEither
}

func parseHello(b []byte) (helloFrame, error) {
	f := fields{rest: b}
	h := helloFrame{backend: f.text()}
	h.takes = [...]string{"", "either", "listener", "connections", "both"}[f.oneOf(4, "what it takes,")%5]
	h.credit = uint32(f.number(4))
	h.held = f.ids(mostHeld)
	if slices.ContainsFunc(h.held, func(id uint64) bool { return id == 0 || id >= 1<<63 }) {
		f.wrong("an id is 0, or 2^63 or more") // the next one of the count has to be an id too
	}
	if f.err == nil && h.backend == "" {
		f.wrong("it names no backend")
	}
	return h, f.end()
}

func (w welcomeFrame) append(b []byte) []byte {
	return binary.BigEndian.AppendUint16(append(head(b, typeWelcome), w.gives), w.sockets)
}

func parseWelcome(b []byte) (welcomeFrame, error) {
	f := fields{rest: b}
	w := welcomeFrame{gives: f.oneOf(3, "what is given,"), sockets: uint16(f.number(2))}
	return w, f.end()
}

func (r refusedFrame) append(b []byte) []byte {
	again := byte(0)
	if r.again {
		again = 1
	}
	return appendText(append(head(b, typeRefused), again), r.reason)
}

func parseRefused(b []byte) (refusedFrame, error) {
	f := fields{rest: b}
	r := refusedFrame{again: f.number(1) != 0, reason: f.text()}
	return r, f.end()
}

func (c connectionFrame) append(b []byte) []byte {
	m := c.meta
	b = binary.BigEndian.AppendUint64(head(b, typeConnection), c.id)
	at := int64(0)
	if !m.At.IsZero() {
		at = m.At.UnixNano()
	}
	b = binary.BigEndian.AppendUint64(b, uint64(at))
	b = appendAddress(appendAddress(b, m.Client), m.Local)
	b = appendText(appendText(appendText(b, m.Listener), m.Route), m.Name)
	offered := m.ALPN[:min(len(m.ALPN), mostALPN)]
	b = append(b, byte(len(offered)))
	for _, protocol := range offered {
		b = appendText(b, protocol[:min(len(protocol), 255)])
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(m.Data)))
	return append(b, m.Data...)
}

func parseConnection(b []byte) (connectionFrame, error) {
	f := fields{rest: b}
	c := connectionFrame{id: f.number(8)}
	if at := int64(f.number(8)); at != 0 {
		c.meta.At = time.Unix(0, at)
	}
	c.meta.Client, c.meta.Local = f.address(), f.address()
	c.meta.Listener, c.meta.Route, c.meta.Name = f.text(), f.text(), f.text()
	for range f.number(1) {
		c.meta.ALPN = append(c.meta.ALPN, f.text())
	}
	if n := f.number(4); n > mostBytes {
		f.wrong("%d bytes of data are more than %d", n, mostBytes)
	} else if n > 0 {
		c.meta.Data = slices.Clone(f.take(int(n)))
	}
	return c, f.end()
}

func (s socketFrame) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(head(b, typeSocket), s.id)
	kind := byte(socketListener)
	if s.kind == Packet {
		kind = socketPacket
	}
	return appendText(appendText(append(b, kind), s.name), s.address)
}

func parseSocket(b []byte) (socketFrame, error) {
	f := fields{rest: b}
	s := socketFrame{id: f.number(8), kind: Listener}
	if f.oneOf(2, "socket kind") == socketPacket {
		s.kind = Packet
	}
	s.name, s.address = f.text(), f.text()
	return s, f.end()
}

func appendWithdraw(b []byte, id uint64) []byte {
	return binary.BigEndian.AppendUint64(head(b, typeWithdraw), id)
}

func parseWithdraw(b []byte) (uint64, error) {
	f := fields{rest: b}
	id := f.number(8)
	return id, f.end()
}

func (a acceptedFrame) append(b []byte) []byte {
	return appendIDs(binary.BigEndian.AppendUint32(head(b, typeAccepted), a.grant), a.ids)
}

func parseAccepted(b []byte) (acceptedFrame, error) {
	f := fields{rest: b}
	a := acceptedFrame{grant: uint32(f.number(4)), ids: f.ids(mostIDs)}
	if f.err == nil && len(a.ids) == 0 {
		f.wrong("it accepts nothing")
	}
	return a, f.end()
}

func appendCredit(b []byte, grant uint32) []byte {
	return binary.BigEndian.AppendUint32(head(b, typeCredit), grant)
}

func parseCredit(b []byte) (uint32, error) {
	f := fields{rest: b}
	n := uint32(f.number(4))
	return n, f.end()
}

func appendEnd(b []byte, reason string) []byte { return appendText(head(b, typeEnd), reason) }

func parseEnd(b []byte) (string, error) {
	f := fields{rest: b}
	reason := f.text()
	return reason, f.end()
}

func appendStatus(b []byte, piece []byte, last bool) []byte {
	final := byte(0)
	if last {
		final = 1
	}
	return append(append(head(b, typeStatus), final), piece...)
}

func parseStatus(b []byte) (piece []byte, last bool, err error) {
	f := fields{rest: b}
	last = f.number(1) != 0
	return f.rest, last, f.err
}

func appendNetworkHello(b []byte, backend string) []byte {
	return appendText(head(b, typeNetworkHello), backend)
}

func parseNetworkHello(b []byte) (string, error) {
	f := fields{rest: b}
	backend := f.text()
	if f.err == nil && backend == "" {
		f.wrong("it names no backend")
	}
	return backend, f.end()
}

// flags are the bits of a request, in the order of their values.
func (r *NetworkRequest) flags() []*bool {
	return []*bool{&r.ReuseAddress, &r.ReusePort, &r.Only6, &r.NoWait}
}

func (r NetworkRequest) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(head(b, typeNetworkRequest), r.ID)
	operation, kind := byte(operationListen), byte(typeStream)
	if r.Operation == "connect" {
		operation = operationConnect
	}
	if r.Type == "datagram" {
		kind = typeDatagram
	}
	var flags byte
	for i, set := range r.flags() {
		if *set {
			flags |= 1 << i
		}
	}
	b = append(b, operation, byte(r.Family), kind, flags)
	b = binary.BigEndian.AppendUint32(b, uint32(r.Backlog))
	return appendAddress(appendAddress(b, r.Local), r.Remote)
}

func parseNetworkRequest(b []byte) (NetworkRequest, error) {
	f := fields{rest: b}
	r := NetworkRequest{ID: f.number(8), Operation: "listen", Type: "stream"}
	if f.oneOf(2, "operation") == operationConnect {
		r.Operation = "connect"
	}
	if r.Family = int(f.number(1)); r.Family != 4 && r.Family != 6 {
		f.wrong("address family %d is unknown", r.Family)
	}
	if f.oneOf(2, "socket type") == typeDatagram {
		r.Type = "datagram"
	}
	flags := f.number(1)
	for i, set := range r.flags() {
		*set = flags&(1<<i) != 0
	}
	r.Backlog = int(int32(f.number(4)))
	r.Local, r.Remote = f.address(), f.address()
	if f.err == nil && !fits(r) {
		f.wrong("its addresses do not fit what it asks for")
	}
	return r, f.end()
}

// fits says whether a request has the addresses that it needs, of its own family.
func fits(r NetworkRequest) bool {
	needed := r.Local
	if r.Operation == "connect" {
		needed = r.Remote
	} else if r.Remote.Addr().IsValid() {
		return false
	}
	if !needed.Addr().IsValid() {
		return false
	}
	for _, a := range []netip.Addr{r.Local.Addr(), r.Remote.Addr()} {
		if a.IsValid() && a.Is4() != (r.Family == 4) {
			return false
		}
	}
	return true
}

func (a NetworkAnswer) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(head(b, typeNetworkAnswer), a.ID)
	b = appendText(binary.BigEndian.AppendUint32(b, uint32(a.Errno)), a.Text)
	return appendAddress(b, a.Local)
}

func parseNetworkAnswer(b []byte) (NetworkAnswer, error) {
	f := fields{rest: b}
	a := NetworkAnswer{ID: f.number(8), Errno: int(int32(f.number(4))), Text: f.text(), Local: f.address(), Number: -1}
	return a, f.end()
}
