// Command child is an HTTP server with one habit or another of real servers, for the tests of `rouse run` to start.
//
// It tells what it is asked for: / its pid, the client's address and its own; /environment, /descriptors and /status (of
// proc_pid_status(5)) how it was started; /bind binds once more; /hold keeps the client waiting; /exit and /kill end it.
// Signals that it gets are told on standard output.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/pires/go-proxyproto"
)

// habits are how the server is to behave.
type habits struct {
	tcp, udp, echo list
	client         string        // connect there, and stay connected
	fd             int           // serve the listener with this number, in place of binding
	how            string        // how the TCP listeners are bound; see listen
	proxied        bool          // connections begin with a PROXY header
	say            string        // on standard error, before anything else
	exit           int           // with this status, in place of serving
	delay          time.Duration // before it binds
	user           int           // setuid(2) before it binds
	daemon         bool          // fork twice, as daemons do
	deaf           bool          // SIGTERM does nothing
	mortal         bool          // SIGTERM ends it at once
	shutdown       bool          // shutdown(2) the listeners at the end
	killGroup      bool          // at SIGHUP, end the process group but for itself
	forbid         string        // a system call: execute the arguments, for which it is not permitted
}

// list is a flag that may be given more than once.
type list []string

func (l *list) String() string         { return strings.Join(*l, " ") }
func (l *list) Set(value string) error { *l = append(*l, value); return nil }

func main() {
	var h habits
	flag.Var(&h.tcp, "tcp", "serve HTTP on `host:port`")
	flag.Var(&h.udp, "udp", "send datagrams to `host:port` back")
	flag.Var(&h.echo, "echo", "send what comes to `host:port` back when the client has ended")
	flag.StringVar(&h.client, "client", "", "connect to `host:port`")
	flag.IntVar(&h.fd, "fd", -1, "serve HTTP on this listener")
	flag.StringVar(&h.how, "how", "net", "how to bind")
	flag.BoolVar(&h.proxied, "proxied", false, "read a PROXY header")
	flag.StringVar(&h.say, "say", "", "write this to standard error first")
	flag.IntVar(&h.exit, "exit", -1, "exit with this status then")
	flag.DurationVar(&h.delay, "delay", 0, "wait before binding")
	flag.IntVar(&h.user, "user", -1, "become this user before binding")
	flag.BoolVar(&h.daemon, "daemon", false, "fork twice")
	flag.BoolVar(&h.deaf, "deaf", false, "ignore SIGTERM")
	flag.BoolVar(&h.mortal, "mortal", false, "be ended by SIGTERM")
	flag.BoolVar(&h.shutdown, "shutdown", false, "shutdown(2) the listeners at the end")
	flag.BoolVar(&h.killGroup, "kill-group", false, "end the process group at SIGHUP")
	flag.StringVar(&h.forbid, "forbid", "", "execute the arguments, without this system `call`")
	flag.Parse()
	if h.forbid != "" {
		fmt.Fprintln(os.Stderr, "child:", without(h.forbid, flag.Args()))
		os.Exit(1)
	}
	if err := run(h); err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(1)
	}
}

func run(h habits) error {
	signals := make(chan os.Signal, 10)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH)
	if h.mortal {
		signal.Reset(syscall.SIGTERM)
	}
	if h.say != "" {
		fmt.Fprintln(os.Stderr, h.say)
	}
	if h.exit >= 0 {
		os.Exit(h.exit)
	}
	if h.daemon {
		if done, err := detach(); done || err != nil {
			return err
		}
	}
	time.Sleep(h.delay)
	if h.user >= 0 {
		if err := syscall.Setuid(h.user); err != nil {
			return err
		}
	}
	s := &server{habits: h}
	if err := s.open(); err != nil {
		return err
	}
	s.tell("serving as", os.Getpid())
	return s.serve(signals)
}

// tell writes to standard output, unless that is the socket, as inetd has it.
func (s *server) tell(words ...any) {
	if s.fd != 0 {
		fmt.Println(words...)
	}
}

// server serves HTTP on all its listeners.
type server struct {
	habits
	listeners []net.Listener
	http      http.Server
	accepting sync.WaitGroup
	accepted  sync.WaitGroup // connections that are not closed

	mu   sync.Mutex
	more []io.Closer // what stays open
}

func (s *server) open() error {
	if s.client != "" {
		c, err := net.Dial("tcp", s.client)
		if err != nil {
			return err
		}
		s.more = append(s.more, c)
	}
	for _, address := range s.udp {
		conn, err := net.ListenPacket("udp", address)
		if err != nil {
			return err
		}
		go returnDatagrams(conn)
	}
	for _, address := range s.echo {
		l, err := net.Listen("tcp", address)
		if err != nil {
			return err
		}
		go returnStreams(l)
	}
	for _, address := range s.tcp {
		l, err := listen(s.how, address)
		if err != nil {
			return err
		}
		s.listeners = append(s.listeners, l)
	}
	if s.fd >= 0 {
		l, err := net.FileListener(os.NewFile(uintptr(s.fd), "inherited"))
		if err != nil {
			return fmt.Errorf("descriptor %d: %w", s.fd, err)
		}
		s.listeners = append(s.listeners, l)
	}
	return nil
}

func (s *server) serve(signals <-chan os.Signal) error {
	s.http.Handler = s.handler()
	s.http.ConnContext = func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connection{}, c) }
	for _, l := range s.listeners {
		if s.proxied {
			l = &proxyproto.Listener{Listener: l, Policy: func(net.Addr) (proxyproto.Policy, error) { return proxyproto.REQUIRE, nil }}
		}
		s.accepting.Go(func() { s.http.Serve(counted{l, &s.accepted}) })
	}
	for got := range signals {
		s.tell("signal", got)
		switch {
		case got == syscall.SIGHUP && s.killGroup:
			signal.Ignore(syscall.SIGTERM)
			syscall.Kill(0, syscall.SIGTERM)
		case got == syscall.SIGTERM && s.deaf, got == syscall.SIGHUP, got == syscall.SIGUSR1, got == syscall.SIGUSR2, got == syscall.SIGWINCH:
		default:
			return s.end()
		}
	}
	return nil
}

// end answers all whose connections were accepted. http.Server.Shutdown would leave those without a reply whose request it
// has not yet read.
func (s *server) end() error {
	if s.shutdown {
		for _, l := range s.listeners {
			shutdownListener(l)
		}
	}
	for _, l := range s.listeners {
		l.Close()
	}
	s.tell("closed")
	s.http.SetKeepAlivesEnabled(false)
	s.accepting.Wait()
	s.accepted.Wait()
	return nil
}

// counted is a listener whose connections are counted from accept(2) to close(2).
type counted struct {
	net.Listener
	open *sync.WaitGroup
}

func (l counted) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.open.Add(1)
	return &countedConn{Conn: c, done: sync.OnceFunc(l.open.Done)}, nil
}

type countedConn struct {
	net.Conn
	done func()
}

func (c *countedConn) Close() error {
	defer c.done()
	return c.Conn.Close()
}

func returnDatagrams(conn net.PacketConn) {
	buffer := make([]byte, 2000)
	for {
		n, from, err := conn.ReadFrom(buffer)
		if err != nil {
			return
		}
		conn.WriteTo(buffer[:n], from)
	}
}

func returnStreams(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			all, err := io.ReadAll(c)
			if err == nil {
				_, err = c.Write(all)
			}
			if err != nil && !errors.Is(err, net.ErrClosed) {
				fmt.Fprintln(os.Stderr, "child: echo:", err)
			}
		}()
	}
}
