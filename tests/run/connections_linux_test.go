package run

import (
	"fmt"
	"net"
	"os"
	"os/exec"
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

// passed returns a service whose clients come over a socket as open connections.
func passed(t *testing.T, kind int) *service {
	t.Helper()
	s := &service{t: t, other: unused(t)}
	s.port = portOf(t, s.other)
	sender, file := program.SenderPair(t, kind)
	s.files, s.names = []*os.File{file}, []string{"web"}
	s.address = sender.Front("tcp", "127.0.0.1:0")
	return s
}

const channelOptions = "--listen systemd:web?channel "

// Servers that know nothing of passed connections serve them: a client that came before the start too, and each sees where its
// client is.
func TestConnections(t *testing.T) {
	python := func(t *testing.T, s *service) []string {
		return []string{must(t)(exec.LookPath("python3")), "-m", "http.server", "--bind", "127.0.0.1", s.port}
	}
	node := func(t *testing.T, s *service) []string {
		script := `require("http").createServer((q, r) => r.end(q.socket.remoteAddress + ":" + q.socket.remotePort + "\n")).listen(%s, %q)`
		return []string{must(t)(exec.LookPath("node")), "-e", fmt.Sprintf(script, s.port, "127.0.0.1")}
	}
	asyncio := func(t *testing.T, s *service) []string {
		script := `
import asyncio
async def answer(r, w):
    await r.readuntil(b"\r\n\r\n")
    text = "%%s:%%d\n" %% w.get_extra_info("peername")[:2]
    w.write(("HTTP/1.1 200 OK\r\nContent-Length: %%d\r\nConnection: close\r\n\r\n" %% len(text) + text).encode())
    await w.drain()
    w.close()
async def main():
    s = await asyncio.start_server(answer, "127.0.0.1", %s)
    await s.serve_forever()
asyncio.run(main())
`
		return []string{must(t)(exec.LookPath("python3")), "-c", fmt.Sprintf(script, s.port)}
	}
	for name, c := range map[string]struct {
		kind    int
		command func(*testing.T, *service) []string
		silent  bool // does not tell where the client is
	}{
		"blocking (python)":    {unix.SOCK_SEQPACKET, python, true},
		"event loop (node)":    {unix.SOCK_STREAM, node, false},
		"event loop (asyncio)": {unix.SOCK_DGRAM, asyncio, false},
		"edge-triggered (Go)":  {unix.SOCK_DGRAM, func(t *testing.T, s *service) []string { return []string{child(t), "--tcp", s.other} }, false},
		"master with two (nginx)": {unix.SOCK_SEQPACKET, func(t *testing.T, s *service) []string {
			return append(nginx(t, s.other), "-g", "daemon off;")
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := passed(t, c.kind)
			early := dial(t, s.address).send("/")
			p := s.runProgram(channelOptions, c.command(t, s)...)
			early.reply()
			nobodyAt(t, s.other)
			for range 3 {
				conn := dial(t, s.address)
				text := conn.send("/").reply()
				if client := conn.LocalAddr().String(); !c.silent && !strings.Contains(text, client) {
					t.Errorf("the client is at %s, and it answers %q", client, text)
				}
			}
			crowd(t, s, 8, 20)
			says(t, p.Stderr.String(), "mode: connections (systemd:web passes connections")
			stop(t, p)
		})
	}
}

// crowd has clients ask at the same time.
func crowd(t *testing.T, s *service, clients, requests int) {
	t.Helper()
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for range requests {
				if err := try(s.address); err != nil {
					t.Errorf("a client is lost: %v", err)
					return
				}
			}
		})
	}
	all.Wait()
}

// try asks once.
func try(address string) error {
	c, err := net.DialTimeout("tcp", address, limit)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(limit))
	if _, err := c.Write([]byte("GET / HTTP/1.0\r\n\r\n")); err != nil {
		return err
	}
	answer := make([]byte, 4096)
	n, err := c.Read(answer)
	if n == 0 || !strings.Contains(string(answer[:n]), " 200 ") {
		return fmt.Errorf("answer %q, %w", answer[:n], err)
	}
	return nil
}

// A client that comes over the channel wakes the program, which is stopped when nobody is there, and started again.
func TestConnectionsIdle(t *testing.T) {
	t.Parallel()
	s := passed(t, unix.SOCK_SEQPACKET)
	p := s.run(channelOptions+"--lazy --idle-stop=200ms", "--tcp", s.other)
	first := s.pid()
	until(t, "the end of the idle program", func() bool { return !runs(first) })
	if second := s.pid(); second == first {
		t.Errorf("process %d answers again", first)
	}
	busy := dial(t, s.address).send("/hold")
	time.Sleep(500 * time.Millisecond) // longer than it may be idle
	if !strings.Contains(s.ask("/"), "pid=") || strings.Count(p.Stderr.String(), "is started") != 2 {
		t.Errorf("it was stopped with a client there:\n%s", p.Stderr.String())
	}
	busy.Close()
	stop(t, p)
}

// Restarts lose nobody, and a program that is killed loses at most whom it had accepted.
func TestConnectionsRestarts(t *testing.T) {
	t.Parallel()
	s := passed(t, unix.SOCK_SEQPACKET)
	p := s.run(channelOptions+"--lazy --reload=restart", "--tcp", s.other)
	var served, lost atomic.Int64
	done := make(chan struct{})
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if try(s.address) == nil {
					served.Add(1)
				} else {
					lost.Add(1)
				}
			}
		})
	}
	var before int
	for range 3 {
		before = s.pid()
		p.Signal(syscall.SIGHUP)
		until(t, "another process", func() bool { return s.pid() != before })
	}
	if lost.Load() > 0 {
		t.Errorf("%d of %d clients were lost by restarts", lost.Load(), served.Load())
	}
	before = s.pid()
	syscall.Kill(before, syscall.SIGKILL)
	until(t, "another process", func() bool { return s.pid() != before })
	close(done)
	clients.Wait()
	if lost.Load() > 4 {
		t.Errorf("%d of %d clients were lost with a killed program, which had 4 at most", lost.Load(), served.Load())
	}
	stop(t, p)
}

// The socket that Rouse binds for connections is the same; one that another Rouse has is left to that.
func TestConnectionsHandoff(t *testing.T) {
	t.Parallel()
	path := filepath.Join(program.ShortDir(t), "site")
	s := &service{t: t, other: unused(t)}
	p := s.run("--listen handoff:"+path, "--tcp", s.other)
	until(t, path, func() bool { _, err := os.Lstat(path); return err == nil })
	s.address = program.SenderTo(t, path).Front("tcp", "127.0.0.1:0")
	s.pid()
	second := s.run("--listen handoff:"+path, "--tcp", s.other)
	exit(t, second, 1)
	oneLine(t, second, "handoff:"+path)
	s.pid()
	stop(t, p)
	if _, err := os.Lstat(path); err == nil {
		t.Errorf("%s is left behind", path)
	}
}

// What cannot be is refused, with what to do.
func TestConnectionsRefused(t *testing.T) {
	for _, c := range []struct{ options, says string }{
		{channelOptions + "--mode=listener", "leave --mode"},
		{channelOptions + "--as=systemd", "leave --mode, --as"},
		{"--listen systemd:web?channel&proxy=v1", "?proxy="},
	} {
		s := passed(t, unix.SOCK_DGRAM)
		p := s.run(c.options, "--tcp", s.other)
		exit(t, p, 78)
		oneLine(t, p, c.says)
	}
}
