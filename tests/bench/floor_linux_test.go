package main

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// startFloor starts the floor, which is right about a page when this returns.
func startFloor(t *testing.T) (*bench, socket) {
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("no gcc to compile the floor: ", err)
	}
	b := testBench(t)
	p, err := findFloor(t.Context(), finder{}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s, err := b.startServing(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.end)
	return b, s.socket("http")
}

func dialFloor(t *testing.T, at socket) net.Conn {
	conn, err := net.Dial("tcp", at.address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	return conn
}

func TestFloorAnswersEachHead(t *testing.T) {
	b, at := startFloor(t)
	conn := dialFloor(t, at)
	const one = "GET " + page1k + " HTTP/1.1\r\nHost: x\r\n\r\n"
	long := "GET " + page1k + " HTTP/1.1\r\nX: " + strings.Repeat("x", 4096) + "\r\n\r\n"
	reply := append(floorHead(1024), b.site.pages[page1k]...)
	for _, step := range []struct {
		sent    string
		replies int
	}{
		{one, 1}, {one + one + one, 3}, {one + one[:10], 1}, {one[10 : len(one)-1], 0}, {"\n" + one[:5], 1}, {one[5:], 1},
		{strings.Repeat(long, 30), 30}, // more than its buffer holds
	} {
		// Both at once: neither side need hold so much.
		written := make(chan error, 1)
		go func() {
			_, err := io.WriteString(conn, step.sent)
			written <- err
		}()
		got := make([]byte, step.replies*len(reply))
		n, err := io.ReadFull(conn, got)
		if err := errors.Join(err, <-written); err != nil || !bytes.Equal(got, bytes.Repeat(reply, step.replies)) {
			t.Fatalf("%.100q: %v; %d bytes, %.500q", step.sent, err, n, got[:n])
		}
	}
}

func TestFloorEndsConnections(t *testing.T) {
	_, at := startFloor(t)
	for name, sent := range map[string]string{
		"an unknown page": "GET /c HTTP/1.1\r\n\r\n", "a head without an end": "GET " + strings.Repeat("x", 1<<17), "the end": "",
	} {
		conn := dialFloor(t, at)
		go func() {
			io.WriteString(conn, sent)
			if sent == "" {
				conn.(*net.TCPConn).CloseWrite()
			}
		}()
		got, err := io.ReadAll(conn)
		var timeout net.Error
		if len(got) > 0 || errors.As(err, &timeout) && timeout.Timeout() { // it may reset what it has not read
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
