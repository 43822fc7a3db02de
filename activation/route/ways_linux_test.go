package route

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"
	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/activation/handoff"
)

const byName = `
	[backends.one]
	[backends.two]
	[backends.rest]
	[[routes]]
	sni = "*.example.org"
	to = "one"
	[[routes]]
	alpn = "imap"
	to = "two"
	[[routes]]
	to = "rest"
`

// saysFirst is what a TLS client says first.
func saysFirst(t testing.TB, name string, protocols ...string) []byte {
	t.Helper()
	ours, theirs := net.Pipe()
	defer theirs.Close()
	go tls.Client(ours, &tls.Config{ServerName: name, NextProtos: protocols, InsecureSkipVerify: true}).Handshake()
	said := make([]byte, 1<<16)
	n, err := theirs.Read(said)
	if err != nil {
		t.Fatal(err)
	}
	return said[:n]
}

// echoing answers with its name, what the client asked for, and the first bytes, which have to be there still.
func (s *scene) echoing(names ...string) {
	for _, name := range names {
		s.register(name, 16, func(a *handoff.Arrival, conn net.Conn) {
			first := make([]byte, 3)
			io.ReadFull(conn, first)
			fmt.Fprintf(conn, "%s %s %s %x", name, a.Meta.Name, strings.Join(a.Meta.ALPN, ","), first)
		})
	}
}

// By what a client says in TLS it is decided, however it says it, and the server gets every byte.
func TestNames(t *testing.T) {
	s := play(t, "web", byName, Options{HelloTime: 200 * time.Millisecond})
	s.echoing("one", "two", "rest")
	long := saysFirst(t, "www.example.org", strings.Split(strings.Repeat("p"+strings.Repeat("x", 200)+" ", 40), " ")[:40]...)
	for _, c := range []struct {
		name   string
		says   []byte
		step   int
		answer string
	}{
		{"name", saysFirst(t, "www.example.org"), 0, "one www.example.org  160301"},
		{"protocol", saysFirst(t, "example.net", "h2", "imap"), 0, "two example.net h2,imap 160301"},
		{"neither", saysFirst(t, "example.net"), 0, "rest example.net  160301"},
		{"in pieces", saysFirst(t, "www.example.org"), 70, "one www.example.org  160301"},
		{"long", long, 0, "one www.example.org "},
		{"no TLS", []byte("GET / HTTP/1.0\r\n\r\n"), 0, "rest   474554"},
		{"no more", saysFirst(t, "www.example.org")[:50], 0, "rest   160301"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := s.dial("web")
			step := c.step
			if step == 0 {
				step = len(c.says)
			}
			for said := 0; said < len(c.says); said += step {
				conn.Write(c.says[said:min(said+step, len(c.says))])
				if c.step > 0 {
					time.Sleep(100 * time.Microsecond)
				}
			}
			if got, err := io.ReadAll(conn); !strings.HasPrefix(string(got), c.answer) {
				t.Errorf("%q, %v; want %q", got, err, c.answer)
			}
		})
	}
}

// A client that says nothing is decided all the same, and delays nobody meanwhile.
func TestSilentClients(t *testing.T) {
	s := play(t, "web", byName, Options{HelloTime: 300 * time.Millisecond})
	s.serve("one")
	s.serve("rest")
	var silent []net.Conn
	for range 50 {
		silent = append(silent, s.dial("web"))
	}
	half := s.dial("web") // it says that it says no more: no need to wait
	half.(*net.TCPConn).CloseWrite()
	conn := s.dial("web")
	began := time.Now()
	conn.Write(saysFirst(t, "www.example.org"))
	for c, want := range map[net.Conn]string{conn: "one", half: "rest"} {
		if got, err := io.ReadAll(c); string(got) != want || time.Since(began) > 200*time.Millisecond {
			t.Errorf("%q, %v after %s", got, err, time.Since(began))
		}
	}
	for _, c := range silent {
		if got, err := io.ReadAll(c); string(got) != "rest" {
			t.Errorf("%q, %v", got, err)
		}
	}
}

// What was looked at is passed as it came: it blocks, and wakes for every byte.
func TestLookedAtUntouched(t *testing.T) {
	s := play(t, "web", byName, Options{})
	r := s.registered("one", 1)
	said := saysFirst(t, "www.example.org")
	conn := s.dial("web")
	conn.Write(said[:20])
	time.Sleep(10 * time.Millisecond)
	conn.Write(said[20:])
	a := next(t, r)
	defer unix.Close(a.Number)
	flags, _ := unix.FcntlInt(uintptr(a.Number), unix.F_GETFL, 0)
	least, _ := unix.GetsockoptInt(a.Number, unix.SOL_SOCKET, unix.SO_RCVLOWAT)
	if flags&unix.O_NONBLOCK != 0 || least != 1 {
		t.Errorf("O_NONBLOCK %x, SO_RCVLOWAT %d", flags&unix.O_NONBLOCK, least)
	}
	a.Accepted()
}

// A PROXY header tells who the client is. Not a byte more than it is read.
func TestProxyHeaders(t *testing.T) {
	s := play(t, "web?proxy=any old?proxy=v1", `
		[backends.one]
		[backends.rest]
		[[routes]]
		client = ["192.0.2.0/24", "2001:db8::/32"]
		port = 443
		to = "one"
		[[routes]]
		to = "rest"
	`, Options{HelloTime: time.Second})
	for _, name := range []string{"one", "rest"} {
		s.register(name, 16, func(a *handoff.Arrival, conn net.Conn) {
			first := make([]byte, 3)
			io.ReadFull(conn, first)
			fmt.Fprintf(conn, "%s %s %s", name, a.Meta.Client, first)
		})
	}
	v2 := func(from, to string) string {
		source, _ := net.ResolveTCPAddr("tcp", from)
		target, _ := net.ResolveTCPAddr("tcp", to)
		header := proxyproto.HeaderProxyFromAddrs(2, source, target)
		header.SetTLVs([]proxyproto.TLV{{Type: proxyproto.PP2_TYPE_NOOP, Value: make([]byte, 300)}})
		b, err := header.Format()
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for _, c := range []struct{ listener, says, answer string }{
		{"web", "PROXY TCP4 192.0.2.7 198.51.100.1 1234 443\r\n", "one 192.0.2.7:1234 GET"},
		{"web", "PROXY TCP6 2001:db8::7 2001:db8::1 1234 443\r\n", "one [2001:db8::7]:1234 GET"},
		{"web", v2("192.0.2.7:1234", "198.51.100.1:443"), "one 192.0.2.7:1234 GET"},
		{"web", v2("[2001:db8::7]:1234", "[2001:db8::1]:80"), "rest [2001:db8::7]:1234 GET"},
		{"web", "PROXY UNKNOWN\r\n", "rest 127.0.0.1:"},
		{"web", "GET", ""},
		{"web", "PROXY TCP4 192.0.2.7", ""},
		{"web", "PROXY TCP4 192.0.2.7 198.51.100.1 1234 443" + strings.Repeat(" ", 100), ""},
		{"old", v2("192.0.2.7:1234", "198.51.100.1:443"), ""},
	} {
		for _, step := range []int{5, 1000} {
			conn := s.dial(c.listener)
			all := []byte(c.says + "GET / HTTP/1.0")
			if c.answer == "" {
				all = []byte(c.says)
			}
			for said := 0; said < len(all); said += step {
				conn.Write(all[said:min(said+step, len(all))])
				if step < 10 {
					time.Sleep(50 * time.Microsecond)
				}
			}
			got, err := io.ReadAll(conn)
			if !strings.HasPrefix(string(got), c.answer) || c.answer == "" && len(got) > 0 {
				t.Errorf("%q: %q, %v; want %q", c.says, got, err, c.answer)
			}
		}
	}
}

// A backend that can take no descriptor gets its clients' bytes, and hears who they are.
func TestRelayed(t *testing.T) {
	back, err := net.Listen("unix", filepath.Join(tempDir(t), "back"))
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	go func() {
		for {
			conn, err := back.Accept()
			if err != nil {
				return
			}
			io.Copy(conn, conn)
			conn.Close()
		}
	}()
	s := play(t, "web gone?proxy=v1", fmt.Sprintf(`
		[backends.app]
		connect = ["127.0.0.1:1", "unix:%s"]
		proxy-protocol = "v1"
		wait = "1s"
		[backends.nobody]
		connect = "unix:DIR/nobody"
		wait = "50ms"
		[[routes]]
		listener = "gone"
		port = 1
		to = "nobody"
		[[routes]]
		to = "app"
	`, back.Addr()), Options{})
	conn := s.dial("web")
	local := conn.LocalAddr().(*net.TCPAddr)
	conn.Write([]byte("GET"))
	conn.(*net.TCPConn).CloseWrite()
	_, port, _ := net.SplitHostPort(s.address("web"))
	want := fmt.Sprintf("PROXY TCP4 127.0.0.1 127.0.0.1 %d %s\r\nGET", local.Port, port)
	if got, err := io.ReadAll(conn); string(got) != want {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
	conn = s.dial("gone")
	conn.Write([]byte("PROXY TCP4 192.0.2.7 198.51.100.1 1234 1\r\n"))
	wasReset(t, conn)
	until(t, "it is counted", func() bool { return s.backend("nobody").Drops[dropRelay] == 1 && s.backend("app").Connections == 1 })
}

// A backend that has all the clients of a listener gets the listener, if it likes. Clients that come while it is away wait.
func TestListenerGiven(t *testing.T) {
	s := play(t, "web", "fallback = 'one'\n[backends.one]", Options{})
	take := func() (*handoff.Registration, *handoff.Arrival) {
		r := handoff.Register(s.desk, "one", handoff.RegisterOptions{Takes: "listener"})
		t.Cleanup(func() { r.Close() })
		ctx, cancel := context.WithTimeout(context.Background(), longest)
		defer cancel()
		kind, given, err := r.Assigned(ctx)
		if err != nil || kind != handoff.Listener || len(given) != 1 {
			t.Fatal(kind, given, err)
		}
		return r, given[0]
	}
	r, given := take()
	client := s.dial("web")
	unix.SetNonblock(given.Number, false)
	fd, _, err := acceptRaw(given.Number)
	if err != nil {
		t.Fatal(err)
	}
	unix.Write(fd, []byte("one"))
	unix.Close(fd)
	if got, _ := io.ReadAll(client); string(got) != "one" {
		t.Errorf("%q", got)
	}
	if l := s.last(); l.Accepted != 0 || l.Given != 1 {
		t.Errorf("%+v", l)
	}
	waits := s.dial("web")
	unix.Close(given.Number)
	r.Close()
	until(t, "it is known", func() bool { return s.last().Given == 0 })
	s.serve("one")
	if got, _ := io.ReadAll(waits); string(got) != "one" {
		t.Errorf("%q", got)
	}
}

// Dispatchers may stand behind each other, by either protocol.
func TestCascade(t *testing.T) {
	for name, c := range map[string]struct{ backend, address string }{
		"own":       {"[backends.next]", "dispatch:%s#next?takes=connections"},
		"socketbox": {"[backends.next]\nslot = 7", "dispatch:%s#7?protocol=socketbox"},
		"datagrams": {"[backends.next]\nhandoff = 'DIR/next'", ""},
	} {
		t.Run(name, func(t *testing.T) {
			first := play(t, "web", "fallback = 'next'\n"+c.backend, Options{})
			address := "handoff:" + filepath.Join(first.dir, "next")
			if c.address != "" {
				address = fmt.Sprintf(c.address, first.desk)
			}
			second := &scene{t: t, dir: tempDir(t), sockets: map[string][]activation.Held{}, log: &lines{}}
			second.desk = filepath.Join(second.dir, "desk")
			second.hold("inner", address)
			d, err := New(second.rules("fallback = 'one'\n[backends.one]\n[listeners.inner]"), second.sockets, Options{Engine: HandOver, Grace: time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			second.d = d
			second.run()
			second.register("one", 16, func(a *handoff.Arrival, conn net.Conn) {
				fmt.Fprint(conn, a.Meta.Listener, a.Meta.Client.Addr())
			})
			answers, failures := crowd(first.address("web"), 64, 10)
			if answers["inner127.0.0.1"] != 640 {
				t.Errorf("%v, %v", answers, failures)
			}
			second.stop()
		})
	}
}

// A backend that registers as socketbox's do gets its connections bit for bit as they expect them.
func TestSlot(t *testing.T) {
	s := play(t, "web", "fallback = 'one'\n[backends.one]\nslot = 3\nuser = 0", Options{})
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: s.desk}); err != nil {
		t.Fatal(err)
	}
	unix.Write(fd, binary.BigEndian.AppendUint32([]byte{1, 0, 0, 0}, 3))
	answer := make([]byte, 128)
	if n, err := unix.Read(fd, answer); n != 4 || answer[0] != 0x80 {
		t.Fatalf("%x, %v", answer[:max(n, 0)], err)
	}
	s.dial("web")
	control := make([]byte, 1280)
	n, size, _, _, err := unix.Recvmsg(fd, answer, control, unix.MSG_CMSG_CLOEXEC)
	if n != 4 || answer[0] != 3 || err != nil {
		t.Fatalf("%x, %v", answer[:max(n, 0)], err)
	}
	messages, _ := unix.ParseSocketControlMessage(control[:size])
	descriptors, _ := unix.ParseUnixRights(&messages[0])
	unix.Close(descriptors[0])
}

// Who may not be a backend is told so.
func TestStrangers(t *testing.T) {
	s := play(t, "web", "fallback = 'one'\n[backends.one]\nuser = 4711\n[backends.two]\nhandoff = 'DIR/two'", Options{})
	for backend, want := range map[string]string{"one": "may not be backend", "three": "no backend", "two": "does not register"} {
		r := handoff.Register(s.desk, backend, handoff.RegisterOptions{})
		ctx, cancel := context.WithTimeout(context.Background(), longest)
		if _, _, err := r.Assigned(ctx); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", backend, err)
		}
		cancel()
		r.Close()
	}
	text, err := handoff.AskStatus(context.Background(), s.desk)
	if err != nil || !strings.Contains(string(text), `"engine":"hand-over"`) {
		t.Errorf("%s, %v", text, err)
	}
}

// A client that came before its listener had rules is in the listener's own queue, and no socket of a backend's can get it: a
// process that takes either gets connections then.
func TestEarlyClient(t *testing.T) {
	s := play(t, "web", "fallback = 'one'\n[backends.one]", Options{})
	s.hold("late", "tcp:127.0.0.1:0")
	client := s.dial("late")
	if err := s.d.Reload(s.rules("fallback = 'one'\n[backends.one]\n[listeners.web]\n[listeners.late]"), s.sockets); err != nil {
		t.Fatal(err)
	}
	r := handoff.Register(s.desk, "one", handoff.RegisterOptions{Takes: "either", Credit: 1})
	defer r.Close()
	ctx, cancel := context.WithTimeout(context.Background(), longest)
	defer cancel()
	if kind, _, err := r.Assigned(ctx); err != nil || kind != handoff.Connection {
		t.Fatal(kind, err)
	}
	a, err := r.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	a.Accepted()
	unix.Write(a.Number, []byte("one"))
	unix.Close(a.Number)
	if got, _ := io.ReadAll(client); string(got) != "one" {
		t.Errorf("%q", got)
	}
}
