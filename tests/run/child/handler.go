package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/pires/go-proxyproto"
)

// connection is the key of a request's connection in its context.
type connection struct{}

func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", s.self)
	mux.HandleFunc("/environment", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, strings.Join(os.Environ(), "\n"))
	})
	mux.HandleFunc("/arguments", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, strings.Join(os.Args, "\n")) })
	mux.HandleFunc("/descriptors", descriptors)
	mux.HandleFunc("/status", func(w http.ResponseWriter, _ *http.Request) {
		text, _ := os.ReadFile("/proc/self/status")
		w.Write(text)
	})
	mux.HandleFunc("/inherited", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, inherited(conn(r))) })
	mux.HandleFunc("/hold", hold)
	mux.HandleFunc("/bind", s.bind)
	mux.HandleFunc("/exit-after-reply", s.selfAndExit)
	mux.HandleFunc("/exit", func(_ http.ResponseWriter, r *http.Request) { os.Exit(number(r)) })
	mux.HandleFunc("/kill", func(_ http.ResponseWriter, r *http.Request) { syscall.Kill(os.Getpid(), syscall.Signal(number(r))) })
	return mux
}

// self tells the pid, the client's address, the address the client came to, that of the first listener, and the version
// of the PROXY protocol.
func (s *server) self(w http.ResponseWriter, r *http.Request) {
	version := 0
	if c, ok := conn(r).(*proxyproto.Conn); ok && c.ProxyHeader() != nil {
		version = int(c.ProxyHeader().Version)
	}
	fmt.Fprintf(w, "pid=%d peer=%s local=%v listener=%v proxy=%d\n", os.Getpid(), r.RemoteAddr, r.Context().Value(http.LocalAddrContextKey), s.listeners[0].Addr(), version)
}

// selfAndExit ends the program, with the status behind the question mark, once the client has the whole reply.
func (s *server) selfAndExit(w http.ResponseWriter, r *http.Request) {
	c, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		os.Exit(1)
	}
	text := fmt.Sprintf("pid=%d\n", os.Getpid())
	fmt.Fprintf(buffered, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(text), text)
	buffered.Flush()
	c.Close()
	os.Exit(number(r))
}

// conn is the connection of a request, as the listener gave it.
func conn(r *http.Request) net.Conn {
	return r.Context().Value(connection{}).(*countedConn).Conn
}

// number is the query of a request.
func number(r *http.Request) int {
	n, _ := strconv.Atoi(r.URL.RawQuery)
	return n
}

// hold answers, and ends the answer when the client is gone.
func hold(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(http.StatusOK)
	http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

// bind binds ?tcp=host:port or ?udp=host:port and tells the address that it got; &close closes it again.
func (s *server) bind(w http.ResponseWriter, r *http.Request) {
	more, at, err := bindOne(r.FormValue("tcp"), r.FormValue("udp"))
	if err != nil {
		fmt.Fprintln(w, err)
		return
	}
	if r.Form.Has("close") {
		more.Close()
	} else {
		s.mu.Lock()
		s.more = append(s.more, more)
		s.mu.Unlock()
	}
	fmt.Fprintln(w, "bound", at)
}

func bindOne(tcp, udp string) (io.Closer, net.Addr, error) {
	if udp != "" {
		c, err := net.ListenPacket("udp", udp)
		if err != nil {
			return nil, nil, err
		}
		return c, c.LocalAddr(), nil
	}
	l, err := net.Listen("tcp", tcp)
	if err != nil {
		return nil, nil, err
	}
	return l, l.Addr(), nil
}

// descriptors lists what is open: a number and what is behind it in each line.
func descriptors(w http.ResponseWriter, _ *http.Request) {
	names, _ := filepath.Glob("/proc/self/fd/*")
	slices.SortFunc(names, func(a, b string) int { return len(a) - len(b) })
	for _, name := range names {
		if target, err := os.Readlink(name); err == nil {
			fmt.Fprintln(w, filepath.Base(name), target)
		}
	}
}
