package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// idleClients are connections that were answered once and stay.
type idleClients []net.Conn

// connectIdle makes so many connections as the workload has clients, each with one request, a few at a time. What is returned with an
// error is to be closed too.
func connectIdle(ctx context.Context, at socket, w workload, size int) (idleClients, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		lock  sync.Mutex
		group sync.WaitGroup
		all   idleClients
	)
	request := fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", w.path)
	for lane := range handshakeClients {
		group.Go(func() {
			reply := make([]byte, size+4096)
			for range (w.clients - lane + handshakeClients - 1) / handshakeClients {
				conn, err := connectOnce(ctx, at, request, reply, size)
				if err != nil {
					cancel(err)
					return
				}
				lock.Lock()
				all = append(all, conn)
				lock.Unlock()
			}
		})
	}
	group.Wait()
	if err := context.Cause(ctx); err != nil {
		return all, fmt.Errorf("after %d idle connections: %w", len(all), err)
	}
	return all, nil
}

// connectOnce makes a connection and gets one reply. Of TLS the state is dropped, since nothing more is said.
func connectOnce(ctx context.Context, at socket, request, reply []byte, size int) (net.Conn, error) {
	dialer := net.Dialer{Timeout: drainTime}
	conn, err := dialer.DialContext(ctx, "tcp", at.address())
	if err != nil {
		return nil, unaddressed(err)
	}
	if err := conn.SetDeadline(time.Now().Add(drainTime)); err != nil {
		conn.Close()
		return nil, err
	}
	stream := io.ReadWriter(conn)
	if at.role == "https" {
		stream = tls.Client(conn, clientTLS())
	}
	if _, err := stream.Write(request); err != nil {
		conn.Close()
		return nil, unaddressed(err)
	}
	length := 0
	for err == nil && length < len(reply) && !wholeReply(reply[:length], size) {
		var n int
		n, err = stream.Read(reply[length:])
		length += n
	}
	if !wholeReply(reply[:length], size) {
		conn.Close()
		return nil, fmt.Errorf("an incomplete reply: %w", unaddressed(err))
	}
	return conn, nil
}

func (c idleClients) close() {
	for _, conn := range c {
		conn.Close()
	}
}

// gone is how many of the connections the server has closed.
func (c idleClients) gone() (int, error) {
	polled := make([]unix.PollFd, 0, len(c))
	for _, conn := range c {
		raw, err := conn.(*net.TCPConn).SyscallConn()
		if err == nil {
			err = raw.Control(func(fd uintptr) { polled = append(polled, unix.PollFd{Fd: int32(fd), Events: unix.POLLRDHUP}) })
		}
		if err != nil {
			return 0, err
		}
	}
	for {
		count, err := unix.Poll(polled, 0)
		if !errors.Is(err, unix.EINTR) {
			return count, err
		}
	}
}
