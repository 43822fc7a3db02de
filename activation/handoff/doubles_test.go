package handoff

import (
	"bufio"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The doubles in testdata are written from the description of socketbox's protocol, and speak it byte for byte.

// clients is how many connect at once. The original loses nearly all of them above 12, as the queue has 11 places.
const clients = 128

// double starts one and returns its output, by lines. It ends with the test.
func double(t testing.TB, front *os.File, script string, arguments ...string) <-chan string {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("the double of the original needs python3: ", err)
	}
	c := exec.Command(python, append([]string{filepath.Join("testdata", script)}, arguments...)...)
	if front != nil {
		c.ExtraFiles = []*os.File{front}
	}
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 1000)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			lines <- s.Text()
		}
	}()
	t.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
	})
	return lines
}

func expectLine(t testing.TB, lines <-chan string, want string) {
	t.Helper()
	select {
	case line := <-lines:
		if line != want {
			t.Fatalf("it says %q, not %q", line, want)
		}
	case <-time.After(limit):
		t.Fatalf("it does not say %q", want)
	}
}

// crowd connects many clients at once, and returns what waits until each has read its one byte.
func crowd(t testing.TB, l net.Listener, count int) (served func()) {
	t.Helper()
	var group sync.WaitGroup
	for range count {
		c, err := net.Dial(l.Addr().Network(), l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(limit))
		group.Go(func() {
			if b, err := io.ReadAll(c); err != nil || string(b) != "x" {
				t.Errorf("a client read %q, %v", b, err)
			}
		})
	}
	return group.Wait
}

// A receiver of the original that works 2 ms on each connection, with the queue of 11, gets them all: none is lost.
func TestToOriginal(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	lines := double(t, nil, "receiver.py", path, "2")
	expectLine(t, lines, "ready")
	l := listenTCP(t)
	served := crowd(t, l, clients)
	s := sender(t, path)
	full := 0
	for range clients {
		c, err := l.AcceptTCP()
		if err != nil {
			t.Fatal(err)
		}
		file, err := c.File()
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		fd := int(file.Fd()) // blocking, as accept(2) gives it
		for err = s.Send(fd); err != nil; err = s.Send(fd) {
			full++
			if err := s.Ready(within(t)); err != nil {
				t.Fatal(err)
			}
		}
		file.Close()
	}
	served()
	if full == 0 {
		t.Error("the queue was never full: this proves nothing")
	}
	select {
	case line := <-lines:
		t.Error(line)
	default:
	}
}

// A dispatcher of the original that does not wait loses nothing either: the queue is deep.
func TestFromOriginal(t *testing.T) {
	noLeak(t)
	var l logged
	d, path := receiver(t, DatagramOptions{Log: l.log()})
	if !deep(t) {
		t.Skip("a queue that is deeper than the machine's needs CAP_SYS_ADMIN")
	}
	front := listenTCP(t)
	served := crowd(t, front, clients)
	file, err := front.File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := double(t, file, "sender.py", path, "128")
	expectLine(t, lines, "lost 0")
	expectNone(t, d)
	d.Grant(clients)
	for range clients {
		a, err := d.Next(within(t))
		if err != nil {
			t.Fatal(err)
		}
		answers := os.NewFile(uintptr(a.Number), "client")
		answers.Write([]byte("x"))
		answers.Close()
	}
	served()
	if l.String() != "" {
		t.Error(l.String())
	}
}

// deep tells whether the socket of a receiver takes more than the machine's default: this one is never read.
func deep(t testing.TB) bool {
	t.Helper()
	path := filepath.Join(shortDir(t), "s")
	fd, err := newReceiver(path)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	_, c := connection(t)
	s := sender(t, path)
	for range clients {
		if s.Send(c) != nil {
			return false
		}
	}
	return true
}

// With an inherited socket, which keeps its queue of 11, a sender that waits loses nothing, however many send at once.
func TestCrowdedQueue(t *testing.T) {
	noLeak(t)
	path := filepath.Join(shortDir(t), "s")
	d, err := InheritDatagrams(boundDatagram(t, path), "fd:3", DatagramOptions{Credit: clients})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	client, fd := connection(t)
	ctx := within(t)
	var group sync.WaitGroup
	for range clients {
		group.Go(func() {
			s := NewSender(path)
			defer s.Close()
			if err := s.sendWithin(ctx, fd); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for range clients {
		answers(t, next(t, d).Number, client)
	}
	expectNone(t, d)
}
