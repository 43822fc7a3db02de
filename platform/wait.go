package platform

import (
	"context"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// WaitReadable waits until one of the descriptors is readable, has an error or was hung up (poll(2)), or the context ends,
// whose error it returns then. It takes nothing from them.
func WaitReadable(ctx context.Context, fds ...int) error {
	var pipe [2]int
	syscall.ForkLock.RLock() // there is no pipe2(2) on macOS
	err := unix.Pipe(pipe[:])
	if err == nil {
		unix.CloseOnExec(pipe[0])
		unix.CloseOnExec(pipe[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return fmt.Errorf("wait for a client: %w", err)
	}
	defer unix.Close(pipe[0])
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		unix.Close(pipe[1]) // the other end hangs up
		close(ended)
	})
	defer func() {
		if stop() {
			unix.Close(pipe[1])
		} else {
			<-ended
		}
	}()
	polled := []unix.PollFd{{Fd: int32(pipe[0]), Events: unix.POLLIN}}
	for _, fd := range fds {
		polled = append(polled, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
	}
	for {
		_, err := unix.Poll(polled, -1)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			return nil
		case err != unix.EINTR:
			return fmt.Errorf("wait for a client: %w", err)
		}
	}
}
