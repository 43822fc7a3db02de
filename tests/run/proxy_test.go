package run

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// Without this there would be nothing where the kernel has no better way.
func TestProxy(t *testing.T) {
	t.Parallel()
	users(t, func(t *testing.T, through []string) {
		s := newService(t)
		s.through = through
		early := dial(t, s.address).send("/")
		p := s.run("--mode=proxy", "-delay", "300ms", "-tcp", s.other)
		says(t, early.reply(), " local="+s.other)
		for range 20 {
			s.pid()
		}
		p.Stderr.WaitFor(`mode: proxy .*--mode`, limit)
		stop(t, p)
		waiting := dial(t, s.address).send("/")
		p = s.run("--mode=proxy", "-tcp", s.other)
		waiting.reply()
		stop(t, p)
	})
}

// Without this a server behind the proxy would not know who its clients are.
func TestProxyHeader(t *testing.T) {
	t.Parallel()
	for version, option := range map[string]string{"1": "v1", "2": "v2"} {
		t.Run(option, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			p := s.run("--mode=proxy --proxy-protocol="+option, "-proxied", "-tcp", s.other)
			c := dial(t, s.address)
			says(t, c.send("/").reply(), " peer="+c.LocalAddr().String()+" local="+s.address, " proxy="+version)
			stop(t, p)
		})
	}
}

// Without this what a client says last would be lost, and the reply that waits for its end would never come.
func TestProxyHalfClose(t *testing.T) {
	t.Parallel()
	s := newService(t)
	p := s.run("--mode=proxy", "-echo", s.other)
	c := dial(t, s.address)
	sent := bytes.Repeat([]byte("half-closed\n"), 300_000)
	go func() {
		c.Write(sent)
		c.Conn.(*net.TCPConn).CloseWrite()
	}()
	if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d bytes of %d came back, %v", len(got), len(sent), err)
	}
	stop(t, p)
}

// Without this the proxy would serve one of two sockets, or carry clients to the wrong port.
func TestProxyMaps(t *testing.T) {
	t.Parallel()
	s := newService(t)
	file, path := program.UnixListener(t)
	s.files, s.names = append(s.files, file), append(s.names, "local")
	one, two := unused(t), unused(t)
	p := s.run("--mode=proxy --map="+portOf(t, one)+"=web --map="+portOf(t, two)+"=local", "-tcp", two, "-tcp", one)
	says(t, s.ask("/"), " local="+one)
	says(t, ask(t, path, "/"), " local="+two)
	stop(t, p)
}

// Without this a server that never listens would leave its clients hanging, with nobody knowing why.
func TestProxyNobodyListens(t *testing.T) {
	t.Parallel()
	s := newService(t)
	p := s.run("--mode=proxy --start-timeout=500ms", "-how", "net")
	waiting := dial(t, s.address).send("/")
	p.Stderr.WaitFor(`(?i)(ERR|WRN) .*500ms`, limit)
	waiting.Close()
	p.Stop()
	if strings.Contains(p.Stderr.String(), "panic") {
		t.Error("it panics")
	}
}
