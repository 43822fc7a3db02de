package inetd

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/pires/go-proxyproto"
	"golang.org/x/sys/unix"
)

// headerTime is how long a proxy may take for the header of a connection.
const headerTime = 5 * time.Second

// longestHeader is that of version 1; one of version 2 says in its first 16 bytes how long it is.
const (
	longestHeader  = 107
	shortestHeader = 16
)

// readHeader takes the PROXY header from the beginning of a connection, and nothing behind it
// (https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt). It returns who the header says the peer is, or p where it tells
// nobody. version is v1, v2 or any.
func readHeader(fd int, version string, p peer) (peer, error) {
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return p, err
	}
	if err := unix.SetNonblock(own, true); err != nil {
		unix.Close(own)
		return p, err
	}
	file := os.NewFile(uintptr(own), "connection")
	defer file.Close()
	defer unix.SetNonblock(fd, false) // the two share it
	if err := file.SetReadDeadline(time.Now().Add(headerTime)); err != nil {
		return p, err
	}
	raw, err := file.SyscallConn()
	if err != nil {
		return p, err
	}
	header, err := takeHeader(raw)
	if err != nil {
		return p, err
	}
	return parseHeader(header, version, p)
}

// takeHeader waits for the header and takes it.
func takeHeader(raw syscall.RawConn) (header []byte, err error) {
	var failed error
	err = raw.Read(func(fd uintptr) bool {
		header, failed = wholeHeader(int(fd))
		return failed != unix.EAGAIN
	})
	if err == nil {
		err = failed
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = fmt.Errorf("it has not come within %v", headerTime)
	}
	return header, err
}

// wholeHeader takes the header when all of it is there, and else nothing (EAGAIN). It looks before it reads, so that the program
// gets all that follows.
func wholeHeader(fd int) ([]byte, error) {
	buffer := make([]byte, longestHeader)
	for last := false; ; {
		seen, _, err := unix.Recvfrom(fd, buffer, unix.MSG_PEEK)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, err
		}
		length, err := headerLength(buffer[:seen])
		switch {
		case err != nil:
			return nil, err
		case length > len(buffer):
			buffer = make([]byte, length)
			continue
		case length > 0 && length <= seen:
			_, _, err := unix.Recvfrom(fd, buffer[:length], 0)
			return buffer[:length], err
		case last:
			return nil, errors.New("it was closed before its end")
		case hungUp(fd): // the rest of it may have come with that
			last = true
			continue
		}
		return nil, unix.EAGAIN
	}
}

// hungUp tells whether the other end sends no more.
func hungUp(fd int) bool {
	polled := []unix.PollFd{{Fd: int32(fd), Events: pollHalfClosed}}
	n, err := unix.Poll(polled, 0)
	return err == nil && n > 0 && polled[0].Revents&(pollHalfClosed|unix.POLLHUP|unix.POLLERR) != 0
}

// headerLength returns how long the header is that these bytes begin; 0 when more of them have to come.
func headerLength(b []byte) (int, error) {
	const signature, line = "\r\n\r\n\x00\r\nQUIT\n", "PROXY "
	switch {
	case bytes.HasPrefix(b, []byte(signature)):
		if len(b) < shortestHeader {
			return 0, nil
		}
		return shortestHeader + int(binary.BigEndian.Uint16(b[14:])), nil
	case bytes.HasPrefix(b, []byte(line)):
		if end := bytes.IndexByte(b, '\n'); end >= 0 {
			return end + 1, nil
		}
		if len(b) >= longestHeader {
			return 0, errors.New("its line does not end")
		}
		return 0, nil
	case bytes.HasPrefix([]byte(signature), b) || bytes.HasPrefix([]byte(line), b):
		return 0, nil
	}
	return 0, fmt.Errorf("it begins with %q", b[:min(len(b), 16)])
}

// parseHeader reads a whole header.
func parseHeader(header []byte, version string, p peer) (peer, error) {
	h, err := proxyproto.Read(bufio.NewReaderSize(bytes.NewReader(header), max(len(header), shortestHeader)))
	if err != nil {
		return p, err
	}
	if text := fmt.Sprintf("v%d", h.Version); version != "any" && version != text {
		return p, fmt.Errorf("it has version %s, not %s", text, version)
	}
	from, ok1 := h.SourceAddr.(*net.TCPAddr)
	to, ok2 := h.DestinationAddr.(*net.TCPAddr)
	if h.Command.IsLocal() || !ok1 || !ok2 {
		return p, nil // the proxy itself connects, or knows no address
	}
	said := peer{client: from.AddrPort(), local: to.AddrPort()}
	return said.unmapped(), nil
}
