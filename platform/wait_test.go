package platform

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A client that waits already, or comes later, ends the wait, and is still there afterwards.
func TestWaitReadable(t *testing.T) {
	l := listen(t, "unix", filepath.Join(shortDir(t), "s"))
	idle, fd := pair(t)[0], number(t, l.(syscall.Conn))
	come := func() net.Conn {
		client, err := net.DialTimeout("unix", l.Addr().String(), patience)
		if err != nil {
			t.Error(err)
			return nil
		}
		return client
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	done := make(chan error)
	go func() { done <- WaitReadable(ctx, idle, fd) }()
	client := come()
	defer client.Close()
	if err := <-done; err != nil {
		t.Errorf("a client that came: %v", err)
	}
	if err := WaitReadable(ctx, idle, fd); err != nil || !Readable(fd) {
		t.Errorf("a client that waits: %v, readable %t", err, Readable(fd))
	}
	one := pair(t)
	if err := unix.Shutdown(one[1], unix.SHUT_RDWR); err != nil {
		t.Fatal(err)
	}
	if err := WaitReadable(ctx, one[0]); err != nil {
		t.Errorf("a hang-up: %v", err)
	}
}

// The end of the context ends the wait, before it and while it lasts, and leaves no descriptor behind.
func TestWaitReadableEnds(t *testing.T) {
	idle := pair(t)[0]
	free := func() int { // the lowest number that is free, as pipes come and go
		fd, err := unix.Dup(idle)
		if err != nil {
			t.Fatal(err)
		}
		unix.Close(fd)
		return fd
	}
	before := free()
	for range 100 {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- WaitReadable(ctx, idle) }()
		cancel()
		if err := <-done; err != context.Canceled {
			t.Fatalf("err = %v", err)
		}
		reason := errors.New("enough")
		ctx, give := context.WithCancelCause(t.Context())
		give(reason)
		if err := WaitReadable(ctx, idle); err != context.Canceled {
			t.Fatalf("err = %v", err)
		}
	}
	if after := free(); after != before {
		t.Errorf("descriptors were left open: the next one is %d, was %d", after, before)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := WaitReadable(ctx); err != context.Canceled {
		t.Errorf("nothing to wait for: %v", err)
	}
}
