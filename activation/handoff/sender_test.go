package handoff

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func sender(t testing.TB, path string) *Sender {
	t.Helper()
	s := NewSender(path)
	t.Cleanup(func() { s.Close() })
	return s
}

// ready starts to wait for the receiver, and returns what says that it is over.
func ready(ctx context.Context, s *Sender) <-chan error {
	result := make(chan error, 1)
	go func() { result <- s.Ready(ctx) }()
	return result
}

func expectReady(t testing.TB, result <-chan error) {
	t.Helper()
	select {
	case err := <-result:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(limit):
		t.Fatal("it does not become ready")
	}
}

func expectWaiting(t testing.TB, result <-chan error) {
	t.Helper()
	select {
	case err := <-result:
		t.Fatalf("it is ready (%v)", err)
	case <-time.After(20 * time.Millisecond):
	}
}

// What is sent is one byte of zero and one descriptor. A receiver that is full says so, and is waited for.
func TestSenderFull(t *testing.T) {
	noLeak(t)
	path := filepath.Join(shortDir(t), "s")
	fd := boundDatagram(t, path)
	t.Cleanup(func() { unix.Close(fd) })
	s := sender(t, path)
	client, c := connection(t)
	sent := 0
	var err error
	for ; err == nil; sent++ {
		err = s.Send(c)
	}
	if !errors.Is(err, ErrFull) || !errors.Is(err, unix.EAGAIN) {
		t.Fatal(err)
	}
	result := ready(within(t), s)
	expectWaiting(t, result)
	m, err := receiveMessage(fd, make([]byte, 128), 5)
	if err != nil || len(m.data) != 1 || m.data[0] != 0 || len(m.descriptors) != 1 {
		t.Fatalf("%+v, %v", m, err)
	}
	defer m.close()
	answers(t, m.descriptors[0], client)
	expectReady(t, result)
	if err := s.Send(c); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(within(t))
	result = ready(ctx, s)
	expectWaiting(t, result)
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	result = ready(within(t), s)
	unix.Close(s.release(t)) // the deadline of before is no hindrance, and a close ends the wait
	s.Close()
	if err := <-result; !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
	if err := s.Send(c); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}

// release returns a duplicate of the socket, as a test's own hold on it.
func (s *Sender) release(t testing.TB) (fd int) {
	t.Helper()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.raw.Control(func(own uintptr) { fd, _ = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 3) })
	return fd
}

// A receiver that is not there yet, or has died, is waited for; it is found again without anybody's help.
func TestSenderAbsent(t *testing.T) {
	noLeak(t)
	path := filepath.Join(shortDir(t), "s")
	s := sender(t, path)
	client, c := connection(t)
	if err := s.Send(c); !errors.Is(err, ErrAbsent) || !errors.Is(err, unix.ENOENT) {
		t.Error(err)
	}
	if err := s.Check(); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(within(t))
	result := ready(ctx, s)
	expectWaiting(t, result)
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for range 3 {
		result := ready(within(t), s)
		expectWaiting(t, result)
		d, err := ListenDatagrams(path, DatagramOptions{Owner: -1, Group: -1, Credit: 1})
		if err != nil {
			t.Fatal(err)
		}
		expectReady(t, result)
		if err := s.Send(c); err != nil {
			t.Error(err)
		}
		a := next(t, d)
		answers(t, a.Number, client)
		d.Close()
		if err := s.Send(c); !errors.Is(err, ErrAbsent) {
			t.Error(err)
		}
	}
	fd := boundDatagram(t, path)
	if err := s.Send(c); err != nil {
		t.Error(err)
	}
	unix.Close(fd) // the file stays
	if err := s.Send(c); !errors.Is(err, ErrAbsent) || !errors.Is(err, unix.ECONNREFUSED) {
		t.Error(err)
	}
	if err := s.Check(); err != nil {
		t.Error(err)
	}
}

// With inotify a receiver is found at once, whatever the pause.
func TestWatch(t *testing.T) {
	noLeak(t)
	if runtime.GOOS != "linux" {
		t.Skip("there is no inotify here: folders are looked at every 100 ms")
	}
	dir := shortDir(t)
	w := watchFolder(filepath.Join(dir, "s"))
	defer w.close()
	done := make(chan error, 1)
	go func() { done <- w.wait(within(t), time.Hour) }()
	if err := os.WriteFile(filepath.Join(dir, "s"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	expectReady(t, done)
	if err := watchFolder("/missing/folder/s").wait(t.Context(), time.Millisecond); err != nil {
		t.Error(err)
	}
}

// The other side of a carrier cannot come back.
func TestCarrierEnd(t *testing.T) {
	noLeak(t)
	_, c := connection(t)
	for _, kind := range []int{unix.SOCK_SEQPACKET, unix.SOCK_STREAM, unix.SOCK_DGRAM} {
		fds, err := unix.Socketpair(unix.AF_UNIX, kind, 0)
		if err != nil {
			t.Skip(err)
		}
		s := NewCarrier(fds[0])
		sent := 0
		for ; err == nil; sent++ {
			err = s.Send(c)
		}
		if !errors.Is(err, ErrFull) || sent < 2 {
			t.Fatalf("%v after %d", err, sent)
		}
		result := ready(within(t), s)
		expectWaiting(t, result)
		unix.Close(fds[1])
		expectReady(t, result)
		if err := s.Send(c); !errors.Is(err, ErrAbsent) {
			t.Error(err)
		}
		s.Close()
	}
}

// At the start it is told what will never work, with whose the socket is and who we are.
func TestSenderCheck(t *testing.T) {
	noLeak(t)
	dir := shortDir(t)
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	expectError(t, "a file", sender(t, file).Check(), "handoff:"+file, "no socket")
	stream := filepath.Join(dir, "stream")
	fd, err := newSocket(unix.SOCK_STREAM)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if _, err := bindAt(fd, stream, 0o600, -1, -1); err != nil {
		t.Fatal(err)
	}
	expectError(t, "a stream socket", sender(t, stream).Check(), "another type")
	expectError(t, "a stream socket", sender(t, stream).Send(fd), "another type", ErrAbsent.Error())
	_, tcp := connection(t)
	own, _ := unix.FcntlInt(uintptr(tcp), unix.F_DUPFD_CLOEXEC, 3)
	carrier := NewCarrier(own)
	defer carrier.Close()
	expectError(t, "a TCP socket", carrier.Check(), "fd:", "a connected unix socket is expected")
	expectError(t, "no path", sender(t, "").Check(), "a path such as")
}

// Somebody without write access hears whose the socket is (the original loses each connection silently).
func TestSenderDenied(t *testing.T) {
	noLeak(t)
	if os.Geteuid() != 0 {
		t.Skip("only root can become somebody else")
	}
	dir := shortDir(t)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	d, err := ListenDatagrams(path, DatagramOptions{Mode: 0o600, Owner: 0, Group: 0})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	becomeNobody(t)
	s := sender(t, path)
	words := []string{"permission denied", "mode 0600", "user root, group root", "this process is user root"} // only for files it is somebody else
	expectError(t, "at the start", s.Check(), append(words, "change its owner, group or mode")...)
	_, c := connection(t)
	err = s.Send(c)
	expectError(t, "later", err, words...)
	if !errors.Is(err, ErrAbsent) || !errors.Is(err, unix.EACCES) {
		t.Error(err)
	}
}

// A user may have so many descriptors in flight as it may have open (unix(7), ETOOMANYREFS); the kernel says of such a
// socket that it may be written to.
func TestTooManyInFlight(t *testing.T) {
	noLeak(t)
	giveUpResources(t)
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Setrlimit(unix.RLIMIT_NOFILE, &before) })
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 100, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	ours, theirs := pair(t, unix.SOCK_SEQPACKET)
	s := NewCarrier(ours)
	defer s.Close()
	_, c := connection(t)
	var err error
	for range 300 {
		if err = s.Send(c); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrFull) || !errors.Is(err, unix.ETOOMANYREFS) {
		t.Fatal(err)
	}
	start := time.Now()
	for range 5 { // it does not become a busy loop
		if err := s.Ready(within(t)); err != nil {
			t.Fatal(err)
		}
		if err := s.Send(c); !errors.Is(err, ErrFull) {
			t.Fatal(err)
		}
	}
	if passed := time.Since(start); passed < 10*time.Millisecond {
		t.Errorf("five attempts took %v", passed)
	}
	for range 5 {
		m, err := receiveMessage(theirs, make([]byte, 1), 1)
		if err != nil {
			t.Fatal(err)
		}
		m.close()
	}
	if err := s.sendWithin(within(t), c); err != nil {
		t.Error(err)
	}
}
