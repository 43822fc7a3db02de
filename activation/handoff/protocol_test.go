package handoff

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The examples of PROTOCOL.md are frames as they are written here.
func TestProtocolExamples(t *testing.T) {
	page, err := os.ReadFile("PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := 0
	for _, block := range strings.Split(string(page), "\n\n") {
		if !strings.HasPrefix(block, "    ") {
			continue
		}
		examples++
		want, err := hex.DecodeString(strings.Join(strings.Fields(block), ""))
		if err != nil {
			t.Fatalf("%s: %v", block, err)
		}
		kind, rest, err := frameOf(want)
		if err != nil {
			t.Fatalf("%s: %v", block, err)
		}
		if _, _, written := again(kind, rest); !bytes.Equal(written, want) {
			t.Errorf("%s\nis written %x", block, written)
		}
	}
	if examples != 4 {
		t.Errorf("%d examples", examples)
	}
}

// The bytes of each type.
func TestFrameBytes(t *testing.T) {
	meta := Meta{Client: netip.MustParseAddrPort("192.0.2.7:1024"), Local: netip.MustParseAddrPort("[2001:db8::1]:443"), Name: "a.example", ALPN: []string{"h2"}, Listener: "web", Route: "r"}
	for name, c := range map[string]struct{ got, want string }{
		"hello":   {string(helloFrame{"blog", "connections", 128, nil}.append(nil)), "52480101 0004626c6f67 03 00000080 0000"},
		"welcome": {string(welcomeFrame{givesListeners, 2}.append(nil)), "52480102 02 0002"},
		"refused": {string(refusedFrame{true, "no"}.append(nil)), "52480103 01 00026e6f"},
		"connection": {string(connectionFrame{5, meta}.append(nil)), "52480104 0000000000000005 0000000000000000 04c00002070400 " +
			"0620010db800000000000000000000000101bb0000 0003776562 000172 0009612e6578616d706c65 01 00026832 00000000"},
		"socket":   {string(socketFrame{6, Packet, "dns", "udp:53"}.append(nil)), "52480105 0000000000000006 02 0003646e73 00067564703a3533"},
		"withdraw": {string(appendWithdraw(nil, 6)), "52480106 0000000000000006"},
		"accepted": {string(acceptedFrame{1, []uint64{5}}.append(nil)), "52480107 00000001 0001 0000000000000005"},
		"credit":   {string(appendCredit(nil, 64)), "52480108 00000040"},
		"leaving":  {string(head(nil, typeLeaving)), "52480109"},
		"end":      {string(appendEnd(nil, "bye")), "5248010a 0003627965"},
		"status":   {string(appendStatus(nil, []byte("{}"), true)), "5248010c 01 7b7d"},
		"network": {string(NetworkRequest{ID: 1, Operation: "connect", Family: 4, Type: "stream", Remote: netip.MustParseAddrPort("192.0.2.9:25"), NoWait: true}.append(nil)),
			"5248010e 0000000000000001 02 04 01 08 00000000 00 04c00002090019"},
		"answer": {string(NetworkAnswer{ID: 1, Errno: 111, Text: "no"}.append(nil)), "5248010f 0000000000000001 0000006f 00026e6f 00"},
	} {
		if got := hex.EncodeToString([]byte(c.got)); got != strings.ReplaceAll(c.want, " ", "") {
			t.Errorf("%s:\n%s, not\n%s", name, got, strings.ReplaceAll(c.want, " ", ""))
		}
	}
}

// again parses a frame, and what it was parsed to written again. It returns "" for a frame that is refused.
func again(kind frameType, b []byte) (once, twice any, written []byte) {
	switch kind {
	case typeHello:
		return reparse(b, parseHello, helloFrame.append)
	case typeWelcome:
		return reparse(b, parseWelcome, welcomeFrame.append)
	case typeRefused:
		return reparse(b, parseRefused, refusedFrame.append)
	case typeConnection:
		return reparse(b, parseConnection, connectionFrame.append)
	case typeSocket:
		return reparse(b, parseSocket, socketFrame.append)
	case typeWithdraw:
		return reparse(b, parseWithdraw, func(id uint64, b []byte) []byte { return appendWithdraw(b, id) })
	case typeAccepted:
		return reparse(b, parseAccepted, acceptedFrame.append)
	case typeCredit:
		return reparse(b, parseCredit, func(n uint32, b []byte) []byte { return appendCredit(b, n) })
	case typeEnd:
		return reparse(b, parseEnd, func(reason string, b []byte) []byte { return appendEnd(b, reason) })
	case typeStatus:
		return reparse(b, func(b []byte) ([]byte, error) { piece, _, err := parseStatus(b); return piece, err },
			func(piece, b []byte) []byte { return appendStatus(b, piece, false) })
	case typeNetworkHello:
		return reparse(b, parseNetworkHello, func(name string, b []byte) []byte { return appendNetworkHello(b, name) })
	case typeNetworkRequest:
		return reparse(b, parseNetworkRequest, NetworkRequest.append)
	case typeNetworkAnswer:
		return reparse(b, parseNetworkAnswer, NetworkAnswer.append)
	}
	return nil, nil, nil
}

func reparse[T any](b []byte, parse func([]byte) (T, error), write func(T, []byte) []byte) (once, twice any, written []byte) {
	first, err := parse(b)
	if err != nil {
		return nil, nil, nil
	}
	written = write(first, nil)
	second, err := parse(written[headLength:])
	if err != nil {
		return first, err, written
	}
	return first, second, written
}

// Whatever arrives, it is refused or means the same when it is written again; nothing panics or takes more than was sent.
func FuzzFrame(f *testing.F) {
	for _, seed := range [][]byte{
		helloFrame{"blog", "either", 1, []uint64{1, 2}}.append(nil),
		welcomeFrame{givesNetwork, 0}.append(nil),
		refusedFrame{true, "later"}.append(nil),
		connectionFrame{7, Meta{Client: netip.MustParseAddrPort("[fe80::1%3]:1"), ALPN: []string{"h2", ""}, Data: []byte("x"), At: time.Unix(1, 2)}}.append(nil),
		socketFrame{1, Packet, "name", "udp:1"}.append(nil),
		appendWithdraw(nil, 1),
		acceptedFrame{1, []uint64{3}}.append(nil),
		appendCredit(nil, 5),
		head(nil, typeLeaving),
		appendEnd(nil, "bye"),
		head(nil, typeStatusRequest),
		appendStatus(nil, []byte("{}"), true),
		appendNetworkHello(nil, "ftp"),
		NetworkRequest{ID: 1, Operation: "listen", Family: 6, Type: "datagram", Local: netip.MustParseAddrPort("[::]:0"), Only6: true}.append(nil),
		NetworkAnswer{ID: 1, Errno: 13, Text: "no", Local: netip.MustParseAddrPort("1.2.3.4:5")}.append(nil),
		registerSlot(7),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if slot, ok := parseSlot(b); ok && !bytes.Equal(registerSlot(slot), b) {
			t.Errorf("%x is not slot %d", b, slot)
		}
		a := Applicant{}
		a.understand(message{data: b})
		(&Session{applicant: &a, unaccepted: map[uint64]bool{}, allowance: 9, telling: true}).understand(message{data: b})
		questionOf(message{data: b})
		answerOf(message{data: b})
		statusOf(message{data: b})
		kind, rest, err := frameOf(b)
		if err != nil {
			return
		}
		once, twice, written := again(kind, rest)
		if !reflect.DeepEqual(once, twice) {
			t.Errorf("%#v is %#v when it is written again", once, twice)
		}
		if len(written) > len(b)+mostBytes {
			t.Errorf("%d bytes became %d", len(b), len(written))
		}
	})
}

// What a dispatcher says, in any order, does no harm to a backend.
func FuzzLink(f *testing.F) {
	f.Add(welcomeFrame{givesConnections, 0}.append(nil), connectionFrame{7, Meta{}}.append(nil))
	f.Add(welcomeFrame{givesListeners, 1}.append(nil), socketFrame{1, Listener, "", ""}.append(nil))
	f.Add(welcomeFrame{givesListeners, 0}.append(nil), appendWithdraw(nil, 1))
	f.Add(refusedFrame{false, "no"}.append(nil), appendEnd(nil, "bye"))
	f.Fuzz(func(t *testing.T, one, two []byte) {
		r := Register("", "fuzz", RegisterOptions{Credit: 1})
		defer r.Close()
		ours, _ := pair(t, unix.SOCK_DGRAM)
		conn, err := newPackets(ours, "fuzz")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.close()
		l := &link{r: r, conn: conn, pidfd: -1, inHand: map[uint64]bool{}}
		for _, word := range [][]byte{one, two} {
			if l.understand(message{data: word}) != nil {
				break
			}
		}
		l.settle(false)
	})
}
