package inetd

import (
	"os"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// watcher waits for many descriptors, each of which becomes readable once, with one goroutine for all of them: an epoll(7) of
// its own, which the runtime's poller watches in turn.
type watcher struct {
	file *os.File
	raw  syscall.RawConn
	fd   int

	mu      sync.Mutex
	waiting map[int32]func()
	ended   chan struct{}
}

// newWatcher begins to wait. close ends that.
func newWatcher() (*watcher, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	if err := fcntlNonblock(fd); err != nil {
		unix.Close(fd)
		return nil, err
	}
	w := &watcher{file: os.NewFile(uintptr(fd), "epoll"), fd: fd, waiting: map[int32]func(){}, ended: make(chan struct{})}
	if w.raw, err = w.file.SyscallConn(); err != nil {
		w.file.Close()
		return nil, err
	}
	go w.run()
	return w, nil
}

func (w *watcher) close() {
	w.file.Close()
	<-w.ended
}

// watch calls f once, when the descriptor is readable or its other end is gone. f must not wait, and must end the descriptor.
func (w *watcher) watch(fd int, f func()) error {
	w.mu.Lock()
	w.waiting[int32(fd)] = f
	w.mu.Unlock()
	// Once: until it has been executed, each process that is started has the descriptor too, and closing it does not end it.
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLONESHOT, Fd: int32(fd)}
	err := unix.EpollCtl(w.fd, unix.EPOLL_CTL_ADD, fd, &event)
	if err != nil {
		w.mu.Lock()
		delete(w.waiting, int32(fd))
		w.mu.Unlock()
	}
	return err
}

func (w *watcher) run() {
	defer close(w.ended)
	var events [64]unix.EpollEvent
	_ = w.raw.Read(func(fd uintptr) bool {
		for {
			// Without the runtime's preparation for a call that waits: this one does not.
			n, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, fd, uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0)
			switch {
			case errno == unix.EINTR:
				continue
			case errno != 0:
				return true
			case n == 0:
				return false // and the runtime tells when there is more
			}
			for _, event := range events[:n] {
				w.mu.Lock()
				f := w.waiting[event.Fd]
				delete(w.waiting, event.Fd)
				w.mu.Unlock()
				if f != nil {
					f()
				}
			}
		}
	})
}
