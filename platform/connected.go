package platform

import (
	"context"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// WaitConnected waits until the non-blocking socket fd, which was told to connect, is connected, or cannot be: then the error
// is the kernel's (connect(2)). When the context ends first, it is that of the context. No thread waits.
func WaitConnected(ctx context.Context, fd int) error {
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0) // the runtime's poller keeps and closes what it is given
	if err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	f := os.NewFile(uintptr(own), "connection")
	defer f.Close()
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { f.SetWriteDeadline(time.Unix(1, 0)) })()
	var failed error
	err = raw.Write(func(fd uintptr) (done bool) {
		polled := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
		if n, err := unix.Poll(polled, 0); n == 0 || err != nil {
			return false
		}
		number, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
		switch {
		case err != nil:
			failed = os.NewSyscallError("getsockopt", err)
		case number != 0:
			failed = syscall.Errno(number)
		}
		return true
	})
	if ctx.Err() != nil && err != nil {
		return ctx.Err()
	}
	if err != nil {
		return err
	}
	return failed
}
