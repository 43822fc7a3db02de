package lane

import (
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/program"
)

// transport is a way to speak HTTP.
type transport int

const (
	h1 transport = iota
	h1tls
	h2
	h2c
)

func transports() []transport { return []transport{h1, h1tls, h2, h2c} }

func (v transport) String() string { return [...]string{"h1", "h1+tls", "h2", "h2c"}[v] }

// server is one of the two programs.
type server struct {
	plain, secure, admin string // host:port
	port                 string // of secure, with its colon
	log                  string // the path of its log
}

// pair is two programs that serve the same.
type pair struct {
	t         *testing.T
	dir       string // what they serve is dir/site
	with, off *server
	trust     *tls.Config
}

// start starts rouse twice, with the lane and without.
func start(t *testing.T, s setup) *pair {
	t.Helper()
	p := &pair{t: t, dir: t.TempDir()}
	writeSite(t, p.dir)
	for name, text := range s.files {
		write(t, p.dir, name, text)
	}
	cert, key, pool := program.KeyPair(t, t.TempDir(), "site.test")
	p.trust = &tls.Config{RootCAs: pool, ServerName: "site.test"}
	args := []string{"serve", "--root", filepath.Join(p.dir, "site"), "--tls-cert", cert, "--tls-key", key, "--log-level", "info", "--log-format", "json"}
	if s.file != "" {
		write(t, p.dir, "rouse.toml", s.file)
		args = append(args, "--config-file", filepath.Join(p.dir, "rouse.toml"))
	}
	if !strings.Contains(s.args, "--reply-ttl") {
		args = append(args, "--reply-ttl", life.String())
	}
	args = append(args, strings.Fields(strings.ReplaceAll(s.args, "{dir}", p.dir))...)
	p.with, p.off = startOne(t, args, "--lane", "auto"), startOne(t, args, "--lane", "off")
	return p
}

func startOne(t *testing.T, args []string, more ...string) *server {
	t.Helper()
	s := &server{}
	var sockets []*os.File
	for _, address := range []*string{&s.plain, &s.secure, &s.admin} {
		listener, at := program.Listener(t)
		*address = at
		sockets = append(sockets, listener)
	}
	_, port, err := net.SplitHostPort(s.secure)
	must(t, err)
	s.port = ":" + port
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	must(t, err)
	defer log.Close()
	s.log = log.Name()
	program.Start(t, program.Run{Args: slices.Concat(args, more), Env: []string{"TZ=UTC"}, Files: sockets, Listen: true, Names: []string{"http", "https", "admin"}, Stdout: log, Stderr: log})
	for _, one := range sockets { // when the program ends, clients must see that and not wait
		one.Close()
	}
	return s
}

// compare holds a conversation with both, and fails the test where the answers differ.
func (p *pair) compare(over transport, c conversation) {
	p.t.Helper()
	var with, off []string
	for again := 5; again > 0; again-- {
		var reset bool
		with, off, reset = p.both(over, c)
		if c.atOnce && (over == h2 || over == h2c) {
			with, off = withoutXCache(with), withoutXCache(off)
		}
		if slices.Equal(with, off) {
			if strings.Contains(with[len(with)-1], nothing) {
				p.t.Errorf("%s over %v: both stopped: %q", c.name, over, clip(c.requests[len(with)-2].http1()))
			}
			return
		}
		if !reset {
			break
		}
	}
	i := 0
	for at(with, i) == at(off, i) {
		i++
	}
	asked := "the end"
	if i < len(c.requests) {
		asked = c.requests[i].http1()
	}
	p.t.Errorf("%s over %v, all at once: %v, in %d pieces: request %d of %d\n%s\nwith the lane:\n%s\n%s\n\nwithout:\n%s\n%s", c.name, over, c.atOnce, max(1, c.pieces), i+1, len(c.requests),
		clip(asked), clip(at(with, i)), at(with, len(with)-1), clip(at(off, i)), at(off, len(off)-1))
}

// withoutXCache is replies without the field that tells what the memory cache had, which is a matter of chance where requests
// are answered side by side.
func withoutXCache(replies []string) []string {
	var others []string
	for _, reply := range replies {
		others = append(others, strings.ReplaceAll(reply, "x-cache: HIT\n", ""))
	}
	return others
}

// both holds a conversation with both at the same time.
func (p *pair) both(over transport, c conversation) (with, off []string, reset bool) {
	var one, other bool
	var wait sync.WaitGroup
	wait.Go(func() { with, one = p.talk(p.with, over, c) })
	wait.Go(func() { off, other = p.talk(p.off, over, c) })
	wait.Wait()
	return with, off, one || other
}

func at(replies []string, i int) string {
	if i < len(replies) {
		return replies[i]
	}
	return "no reply"
}

func clip(text string) string {
	const most = 1500
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}

// talk holds a conversation on a new connection. reset says that the server closed it without having read everything, so that
// replies may be lost on the way.
func (p *pair) talk(s *server, over transport, c conversation) (replies []string, reset bool) {
	conn, err := p.dial(s, over)
	if err != nil {
		return []string{"connect: " + err.Error()}, false
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(limit))
	switch over {
	case h2:
		replies = newHTTP2(conn, "https").talk(c)
	case h2c:
		replies = newHTTP2(conn, "http").talk(c)
	default:
		client := newHTTP1(conn)
		replies, reset = client.talk(c), client.reset
	}
	for i := range replies { // a redirect to https names it
		replies[i] = strings.ReplaceAll(replies[i], s.port, ":HTTPS")
	}
	return replies, reset
}

func (p *pair) dial(s *server, over transport) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: limit}
	if over == h1 || over == h2c {
		return dialer.Dial("tcp", s.plain)
	}
	trust := p.trust.Clone()
	trust.NextProtos = []string{map[transport]string{h1tls: "http/1.1", h2: "h2"}[over]}
	return tls.DialWithDialer(dialer, "tcp", s.secure, trust)
}
