package serve

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/tests/program"
)

// alone starts rouse without sockets of the activator.
func (a *activator) alone(options ...string) *program.Process {
	a.t.Helper()
	args := []string{"serve", "--root", a.root, "--tls-cert", a.cert, "--tls-key", a.key}
	return program.Start(a.t, program.Run{Args: append(args, options...)})
}

// passedTo starts rouse on handoff: addresses, one for each role, and returns where clients of each connect.
func passedTo(t *testing.T, a *activator, network, host string, options ...string) (p *program.Process, http, https string) {
	t.Helper()
	dir := program.ShortDir(t)
	args := []string{"--listen", "http=handoff:" + filepath.Join(dir, "http"), "--listen", "https=handoff:" + filepath.Join(dir, "https")}
	p = a.alone(append(args, options...)...)
	p.Stderr.WaitFor("at https on the connections that arrive from handoff:"+filepath.Join(dir, "https"), limit)
	return p, program.SenderTo(t, filepath.Join(dir, "http")).Front(network, host), program.SenderTo(t, filepath.Join(dir, "https")).Front(network, host)
}

// Without this a site behind socketbox, or rouse dispatch, in a container without network would not be served, or not know its
// clients.
func TestPassedConnections(t *testing.T) {
	t.Parallel()
	for network, host := range map[string]string{"tcp4": "127.0.0.1:0", "tcp6": "[::1]:0"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			a := newActivator(t)
			p, plain, secure := passedTo(t, a, network, host, "--log-level", "info")
			for range 3 {
				c := dial(t, plain)
				if reply, body := c.get("/"); reply.StatusCode != http.StatusOK || body != content {
					t.Errorf("http: %s %q", reply.Status, body)
				}
				s := dialTLS(t, secure, a.pool)
				if reply, body := s.get("/"); reply.StatusCode != http.StatusOK || body != content {
					t.Errorf("https: %s %q", reply.Status, body)
				}
				for _, client := range []net.Addr{c.LocalAddr(), s.LocalAddr()} {
					ip, _, _ := net.SplitHostPort(client.String())
					p.Stderr.WaitFor(` GET 200 / \S+ \S+ `+strings.ReplaceAll(ip, ".", `\.`), limit)
				}
			}
			conn := dialHTTP2(t, secure, a.pool, 65535)
			conn.get(1, "/")
			conn.answered(1)
			exit(t, endOf(p), 0)
		})
	}
}

// Without this a stop would cut off who was passed on and not accepted yet: nobody else can serve them.
func TestPassedConnectionsAreDrained(t *testing.T) {
	t.Parallel()
	a := newActivator(t)
	p, plain, _ := passedTo(t, a, "tcp4", "127.0.0.1:0")
	var clients sync.WaitGroup
	var served, lost, cut atomic.Int64
	var stopping atomic.Bool
	for range 8 {
		clients.Go(func() {
			for {
				c, err := net.Dial("tcp", plain)
				if err != nil {
					t.Error(err)
					return
				}
				c.SetDeadline(time.Now().Add(limit))
				fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
				text, _ := io.ReadAll(c)
				c.Close()
				switch {
				case strings.HasSuffix(string(text), content):
					served.Add(1)
				case stopping.Load() && len(text) == 0: // it came when nobody was there any more
					return
				case len(text) == 0:
					lost.Add(1)
					return
				default:
					cut.Add(1)
					return
				}
			}
		})
	}
	until(t, "200 replies", func() bool { return served.Load() >= 200 || lost.Load() > 0 })
	stopping.Store(true)
	p.Signal(syscall.SIGTERM)
	exit(t, p, 0)
	clients.Wait()
	if cut.Load() > 0 || lost.Load() > 0 {
		t.Errorf("of %d clients %d were lost, and %d replies were cut", served.Load(), lost.Load(), cut.Load())
	}
	silent(t, p.Stderr.String(), "are reset")
}

// Without this whoever can write to the socket could make the server serve what is no client.
func TestPassedWrongDescriptors(t *testing.T) {
	t.Parallel()
	a := newActivator(t)
	path := filepath.Join(program.ShortDir(t), "s")
	p := a.alone("--log-level", "warn", "--listen", "http=handoff:"+path)
	p.Stderr.WaitFor("at http on the connections that arrive from handoff:"+path, limit)
	if got := mode(path); got != 0o660 {
		t.Errorf("%s has mode %v", path, got)
	}
	sender := program.SenderTo(t, path)
	listening, _ := program.Listener(t)
	packets, _ := program.PacketConn(t)
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, fd := range []int{int(listening.Fd()), int(packets.Fd()), pair[0], int(file.Fd())} {
		if err := sender.Send(fd); err != nil {
			t.Fatal(err)
		}
	}
	unix.Close(pair[0])
	if n, err := unix.Read(pair[1], make([]byte, 1)); n != 0 || err != nil { // it was closed
		t.Errorf("the unix pair: %d, %v", n, err)
	}
	unix.Close(pair[1])
	c := dial(t, sender.Front("tcp4", "127.0.0.1:0"))
	if _, body := c.get("/"); body != content {
		t.Errorf("after them: %q", body)
	}
	p.Stderr.WaitFor("refused", limit)
	exit(t, endOf(p), 0)
}

// Without this a second instance, started by mistake, would take the clients of the first one; and one that starts after a
// crash would not start.
func TestPassedConnectionsPathOfTheLiving(t *testing.T) {
	t.Parallel()
	a := newActivator(t)
	path := filepath.Join(program.ShortDir(t), "s")
	first := a.alone("--listen", "http=handoff:"+path)
	first.Stderr.WaitFor("at http on the connections that arrive from handoff:"+path, limit)
	second := a.alone("--listen", "http=handoff:"+path)
	exit(t, second, 1)
	first.Signal(syscall.SIGKILL)
	first.Wait(limit)
	third := a.alone("--listen", "http=handoff:"+path)
	third.Stderr.WaitFor("at http on the connections that arrive from handoff:"+path, limit)
	if _, body := dial(t, program.SenderTo(t, path).Front("tcp4", "127.0.0.1:0")).get("/"); body != content {
		t.Errorf("it answers %q", body)
	}
	exit(t, endOf(third), 0)
	if _, err := os.Lstat(path); err == nil {
		t.Errorf("%s is left behind", path)
	}
}

// Without this a server would stay for ever when who passed connections to it has ended; or it would cut off the clients that
// it still has.
func TestPassedChannelEnds(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]int{"stream": unix.SOCK_STREAM, "seqpacket": unix.SOCK_SEQPACKET} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newActivator(t)
			sender, file := program.SenderPair(t, kind)
			a.files, a.names = []*os.File{file}, []string{"web"}
			p := a.start("--listen", "http=systemd:web?channel")
			file.Close()
			c := dial(t, sender.Front("tcp4", "127.0.0.1:0"))
			if _, body := c.get("/"); body != content {
				t.Errorf("it answers %q", body)
			}
			sender.Close()
			if _, body := c.get("/"); body != content {
				t.Errorf("after the end it answers %q", body)
			}
			c.Close()
			exit(t, p, 0)
		})
	}
}

// silent fails the test when text has one of the words.
func silent(t testing.TB, text string, words ...string) {
	t.Helper()
	for _, word := range words {
		if strings.Contains(text, word) {
			t.Errorf("%q in\n%s", word, text)
		}
	}
}
