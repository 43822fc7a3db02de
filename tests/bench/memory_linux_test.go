package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"
)

func TestIdleConnections(t *testing.T) {
	w := memoryWorkloads()[0]
	w.clients = 50
	kept := make(chan net.Conn, w.clients)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(page(1024)) }))
	s.Config.ConnState = func(conn net.Conn, state http.ConnState) {
		if state == http.StateIdle {
			kept <- conn
		}
	}
	s.Start()
	defer s.Close()
	clients, err := connectIdle(t.Context(), socket{role: "http", addr: s.Listener.Addr()}, w, 1024)
	defer clients.close()
	if err != nil || len(clients) != w.clients {
		t.Fatalf("%d clients, %v", len(clients), err)
	}
	if gone, err := clients.gone(); err != nil || gone != 0 {
		t.Errorf("gone: %d, %v", gone, err)
	}
	for range 3 {
		(<-kept).Close()
	}
	if gone, err := clients.gone(); err != nil || gone != 3 {
		t.Errorf("after 3 were closed, gone: %d, %v", gone, err)
	}
}

func TestIdleConnectionsOverTLS(t *testing.T) {
	w := memoryWorkloads()[1]
	w.clients = 5
	clients, err := connectIdle(t.Context(), tlsServer(t, nil), w, 1024)
	defer clients.close()
	if gone, errGone := clients.gone(); err != nil || errGone != nil || gone != 0 || len(clients) != w.clients {
		t.Errorf("%d clients, %v; gone: %d, %v", len(clients), err, gone, errGone)
	}
}

func TestIdleConnectionsToAServerThatRefuses(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	w := memoryWorkloads()[0]
	w.clients = 20
	clients, err := connectIdle(t.Context(), socket{role: "http", addr: s.Listener.Addr()}, w, 1024)
	clients.close()
	if err == nil {
		t.Error("no error though nothing was found")
	}
}

// What a process tree holds is that of all its processes.
func TestMemoryOfAServer(t *testing.T) {
	child := exec.Command("sh", "-c", "sleep 60; true")
	child.SysProcAttr = ownSession()
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	s := server{cmd: child, ended: make(chan struct{})}
	go func() {
		child.Wait()
		close(s.ended)
	}()
	defer s.stop()
	if size, err := s.memory(); err != nil || size < 50<<10 || size > 50<<20 {
		t.Errorf("%d bytes, %v", size, err)
	}
	us := server{cmd: &exec.Cmd{Process: &os.Process{Pid: os.Getpid()}}}
	if size, err := us.memory(); err != nil || size < 1<<20 {
		t.Errorf("%d bytes of ourselves, %v", size, err)
	}
}
