package handoff

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/platform"
)

const (
	firstPause = time.Millisecond
	mostPause  = 100 * time.Millisecond

	// sendBuffer is asked for so that the receiver's queue decides, not ours; the kernel takes less where wmem_max is less.
	sendBuffer = 1 << 20
)

// Sender passes connections to one receiver in socketbox's "A" protocol, and waits for room, which socketbox does not. All
// methods may be called from many goroutines.
type Sender struct {
	name    string
	path    string
	carrier bool // which cannot be connected again
	turn    chan struct{}
	mutex   sync.Mutex
	file    *os.File // connected: only then the kernel says when the receiver has room (unix(7)); nil when it is not
	raw     syscall.RawConn
	pause   time.Duration // after a refusal that poll(2) does not know of
	closed  bool
	message [1]byte
}

// NewSender sends to the datagram socket at the path, whoever is there at the time.
func NewSender(path string) *Sender {
	return &Sender{name: "handoff:" + path, path: path, turn: make(chan struct{}, 1)}
}

// NewCarrier sends over a connected unix socket of any type, which is its own from now on.
func NewCarrier(fd int) *Sender {
	s := &Sender{name: "fd:" + strconv.Itoa(fd), carrier: true, turn: make(chan struct{}, 1)}
	unix.CloseOnExec(fd)
	unix.SetNonblock(fd, true)
	s.use(fd)
	return s
}

// String names it in messages.
func (s *Sender) String() string { return s.name }

// Close ends it. What was sent stays sent.
func (s *Sender) Close() error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.closed = true
	s.drop()
	return nil
}

// Send passes the connection; the caller keeps its own descriptor, and closes it. It does not wait: ErrFull says that the
// receiver has no room, ErrAbsent that there is none or that this user may not send to it, both with their cause.
func (s *Sender) Send(fd int) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	err := s.send(fd)
	if errors.Is(err, ErrAbsent) && !s.carrier {
		s.drop() // it may have a successor
		err = s.send(fd)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	s.pause = 0
	return nil
}

func (s *Sender) send(fd int) error {
	if err := s.connect(); err != nil {
		return err
	}
	var err error
	if control := s.raw.Control(func(to uintptr) { err = sendMessage(int(to), s.message[:], fd) }); control != nil {
		return control
	}
	if errors.Is(err, ErrFull) && !errors.Is(err, unix.EAGAIN) {
		s.pause = min(max(2*s.pause, firstPause), mostPause)
	}
	return err
}

// connect does so where it is not; the mutex is held.
func (s *Sender) connect() error {
	switch {
	case s.closed:
		return os.ErrClosed
	case s.file != nil:
		return nil
	case s.carrier:
		return fmt.Errorf("%w: the other side has closed the socket", ErrAbsent)
	}
	if err := checkPath(s.path); err != nil {
		return err
	}
	fd, err := newSocket(unix.SOCK_DGRAM)
	if err != nil {
		s.pause = min(max(2*s.pause, firstPause), mostPause)
		return fmt.Errorf("%w: no socket to send from: %w", ErrFull, err)
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: s.path}); err != nil {
		unix.Close(fd)
		return s.unreachable(err)
	}
	s.use(fd)
	return nil
}

func (s *Sender) use(fd int) {
	unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, sendBuffer)
	s.file = os.NewFile(uintptr(fd), s.name)
	s.raw, _ = s.file.SyscallConn() // fails for a nil file only
}

// drop closes the socket; the mutex is held.
func (s *Sender) drop() {
	if s.file != nil {
		s.file.Close()
		s.file, s.raw = nil, nil
	}
}

// unreachable says why nobody could be connected to. For who waits it is all the same: nobody receives there.
func (s *Sender) unreachable(err error) error {
	switch err {
	case unix.EACCES:
		return fmt.Errorf("%w: %w: %s", ErrAbsent, err, s.denied())
	case unix.EPROTOTYPE:
		return fmt.Errorf("%w: the socket is of another type than datagram: %w", ErrAbsent, err)
	case unix.EPERM:
		return fmt.Errorf("%w: the socket takes messages from one other peer alone: %w", ErrAbsent, err)
	}
	return fmt.Errorf("%w: %w", ErrAbsent, err)
}

// denied says whose the socket file is, and who we are.
func (s *Sender) denied() string {
	us := fmt.Sprintf("this process is user %s, group %s", userName(os.Geteuid()), groupName(os.Getegid()))
	file, err := os.Lstat(s.path)
	if err != nil {
		return "a folder on the way cannot be entered; " + us
	}
	owner, ok := file.Sys().(*syscall.Stat_t)
	if !ok {
		return us
	}
	return fmt.Sprintf("the socket has mode %04o and belongs to user %s, group %s; %s", file.Mode().Perm(), userName(int(owner.Uid)), groupName(int(owner.Gid)), us)
}

func userName(id int) string {
	if u, err := user.LookupId(strconv.Itoa(id)); err == nil {
		return u.Username
	}
	return strconv.Itoa(id)
}

func groupName(id int) string {
	if g, err := user.LookupGroupId(strconv.Itoa(id)); err == nil {
		return g.Name
	}
	return strconv.Itoa(id)
}

// Check says at the start whether connections can be sent. It is no error that nobody receives yet.
func (s *Sender) Check() error {
	if s.carrier {
		return s.checkCarrier()
	}
	if err := checkPath(s.path); err != nil {
		return fmt.Errorf("handoff: %w", err)
	}
	if isPath(s.path) {
		file, err := os.Lstat(s.path)
		if err == nil && file.Mode().Type() == fs.ModeSymlink {
			file, err = os.Stat(s.path)
		}
		if err == nil && file.Mode().Type() != fs.ModeSocket {
			return fmt.Errorf("%s: there is a file of that name that is no socket", s.name)
		}
	}
	switch err := probe(unix.SOCK_DGRAM, s.path); err {
	case nil, unix.ENOENT, unix.ECONNREFUSED:
		return nil
	case unix.EACCES:
		return fmt.Errorf("%s: this process may not send there: %w: %s: change its owner, group or mode", s.name, err, s.denied())
	case unix.EPROTOTYPE:
		return fmt.Errorf("%s: the socket is of another type than datagram: %w", s.name, err)
	default:
		return fmt.Errorf("%s: %w", s.name, err)
	}
}

func (s *Sender) checkCarrier() error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if err := s.connect(); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	var carrier platform.Socket
	var err error
	s.raw.Control(func(fd uintptr) { carrier, err = platform.Describe(int(fd)) })
	if err == nil && (carrier.Family != platform.Unix || carrier.State != platform.Connected) {
		err = fmt.Errorf("it is %s (%s): a connected unix socket is expected", carrier.State, carrier.Protocol)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	return nil
}

// Ready waits until a connection would be taken: until somebody receives there and has room. With many senders one of them
// may still find the receiver full. It returns the context's error, and ErrAbsent for a carrier whose other side is gone.
func (s *Sender) Ready(ctx context.Context) error {
	select { // one at a time, as the deadline is the socket's
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := s.rest(ctx); err != nil {
		return err
	}
	for {
		file, raw, err := s.reach(ctx)
		if err != nil {
			return err
		}
		if err := awaitRoom(ctx, file, raw); !errors.Is(err, os.ErrClosed) {
			return err
		}
	}
}

// rest waits out a refusal after which poll(2) reports room all the same, such as too many descriptors in flight.
func (s *Sender) rest(ctx context.Context) error {
	s.mutex.Lock()
	pause := s.pause
	s.mutex.Unlock()
	return sleep(ctx, pause)
}

func sleep(ctx context.Context, pause time.Duration) error {
	if pause == 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// reach waits until the receiver is there, and returns the socket that is connected to it.
func (s *Sender) reach(ctx context.Context) (*os.File, syscall.RawConn, error) {
	var w *watch
	for pause := firstPause; ; pause = min(2*pause, mostPause) {
		s.mutex.Lock()
		err := s.connect()
		file, raw := s.file, s.raw
		s.mutex.Unlock()
		if err == nil {
			return file, raw, ctx.Err()
		}
		if s.carrier || !errors.Is(err, ErrAbsent) && !errors.Is(err, ErrFull) {
			return nil, nil, fmt.Errorf("%s: %w", s.name, err)
		}
		if w == nil {
			w = watchFolder(s.path)
			defer w.close()
			continue // it may have come before the watch
		}
		if err := w.wait(ctx, pause); err != nil {
			return nil, nil, err
		}
	}
}

// awaitRoom waits until the socket may be sent to, by the runtime's poller. os.ErrClosed says that the socket was replaced.
func awaitRoom(ctx context.Context, file *os.File, raw syscall.RawConn) error {
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		file.SetWriteDeadline(time.Unix(1, 0))
		close(ended)
	})
	defer func() {
		if !stop() {
			<-ended
			file.SetWriteDeadline(time.Time{})
		}
	}()
	err := raw.Write(func(fd uintptr) bool {
		polled := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
		n, err := unix.Poll(polled, 0)
		return n > 0 || err != nil && err != unix.EINTR
	})
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return ctx.Err()
	}
	return os.ErrClosed
}

// sendWithin sends as soon as there is room, but waits for nobody who is not there.
func (s *Sender) sendWithin(ctx context.Context, fd int) error {
	for {
		err := s.Send(fd)
		if !errors.Is(err, ErrFull) {
			return err
		}
		if s.Ready(ctx) != nil {
			return err
		}
	}
}
