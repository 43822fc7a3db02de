package route

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/pires/go-proxyproto"
	"golang.org/x/sys/unix"
)

// view lets one goroutine wait for what a client says without reading it. It is a duplicate of the connection in the runtime's
// poller; the connection does not block meanwhile, and does again at the end, as accept(2) gave it.
type view struct {
	fd   int
	file *os.File
	stop func() bool
}

func newView(ctx context.Context, fd int, within time.Duration) (*view, error) {
	number, err := duplicate(fd)
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(number, true); err != nil {
		unix.Close(number)
		return nil, err
	}
	v := &view{fd: fd, file: os.NewFile(uintptr(number), "client")}
	v.file.SetReadDeadline(time.Now().Add(within))
	v.stop = context.AfterFunc(ctx, func() { v.file.SetReadDeadline(time.Unix(1, 0)) })
	return v, nil
}

func (v *view) close() {
	v.stop()
	v.file.Close()
	unix.SetsockoptInt(v.fd, unix.SOL_SOCKET, unix.SO_RCVLOWAT, 1)
	unix.SetNonblock(v.fd, false)
}

// Why a view has no more to show.
var (
	errSilent = errors.New("it did not come in time")
	errHungUp = errors.New("the client said nothing more")
)

// until shows all that has arrived, again and again, until enough says that it has seen enough, which it says by a size of 0; else
// it returns how many bytes there have to be before another look is worth it.
func (v *view) until(buffer []byte, enough func(b []byte) (need int)) error {
	conn, err := v.file.SyscallConn()
	if err != nil {
		return err
	}
	last, ended := -1, error(nil)
	err = conn.Read(func(fd uintptr) bool {
		n, _, err := unix.Recvfrom(int(fd), buffer, unix.MSG_PEEK|unix.MSG_DONTWAIT)
		switch {
		case err == unix.EINTR:
			return false
		case err == unix.EAGAIN:
			n = 0
		case err != nil:
			ended = err
			return true
		case n == 0 || n == last && hungUp(int(fd)):
			ended = errHungUp
			return true
		}
		last = n
		need := enough(buffer[:n])
		if need == 0 || n == len(buffer) {
			return true
		}
		// The poller tells of each arrival once; the kernel tells it of none before there is enough (socket(7)).
		unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVLOWAT, min(max(need, n+1), len(buffer)))
		return false
	})
	switch {
	case ended != nil:
		return ended
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errSilent
	}
	return err
}

// peek looks at the TLS ClientHello that the client begins with, and notes what it asks for. A client that says something else,
// too much or nothing within the time asks for nothing.
func (c *client) peek(ctx context.Context, within time.Duration, most int) {
	v, err := newView(ctx, c.fd, within)
	if err != nil {
		return
	}
	defer v.close()
	before := len(c.meta.Data)
	buffer := make([]byte, min(firstLook, most))
	for {
		size := len(buffer)
		grow := false
		v.until(buffer, func(b []byte) int {
			if before > 0 {
				b = append(c.meta.Data[:before:before], b...)
			}
			name, alpn, more, err := readHello(b)
			switch {
			case err != nil:
				return 0
			case !more:
				c.meta.Name, c.meta.ALPN = name, alpn
				return 0
			}
			need := max(wanted(b)-before, 1)
			grow = need > size || len(b)-before == size
			if grow {
				return 0
			}
			return need
		})
		if !grow || size >= most {
			return
		}
		buffer = make([]byte, min(4*size, most))
	}
}

// firstLook is room for most ClientHellos.
const firstLook = 4096

// wanted is how many bytes there are when the TLS record is complete that is not yet (RFC 8446 §5.1).
func wanted(b []byte) int {
	at := 0
	for at+5 <= len(b) {
		end := at + 5 + int(binary.BigEndian.Uint16(b[at+3:]))
		if end > len(b) {
			return end
		}
		at = end
	}
	return at + 5
}

// introduce reads the PROXY header that the client begins with, and not a byte more, and notes whom it tells of. Of one that tells
// of nobody (LOCAL, UNKNOWN) the connection's own addresses stay.
func (c *client) introduce(ctx context.Context, version string, within time.Duration) error {
	v, err := newView(ctx, c.fd, within)
	if err != nil {
		return err
	}
	defer v.close()
	var size int
	var wrong error
	buffer := make([]byte, longestHeader)
	err = v.until(buffer, func(b []byte) (need int) {
		size, need, wrong = headerSize(b)
		if wrong != nil {
			return 0
		}
		return need
	})
	switch {
	case wrong != nil:
		return wrong
	case err != nil:
		return err
	case size == 0:
		return errHeader
	}
	if n, err := io.ReadFull(v.file, buffer[:size]); err != nil {
		return fmt.Errorf("after %d bytes of it: %w", n, err)
	}
	return c.take(buffer[:size], version)
}

// take notes what a header says.
func (c *client) take(text []byte, version string) error {
	header, err := proxyproto.Read(bufio.NewReaderSize(bytes.NewReader(text), len(text)))
	switch {
	case err != nil:
		return err
	case version != "any" && version != fmt.Sprintf("v%d", header.Version):
		return fmt.Errorf("it is of version %d, and the listener's is %s", header.Version, version)
	case header.Command.IsLocal():
		return nil
	case header.TransportProtocol.IsUnix():
		c.meta.Client, c.meta.Local = netip.AddrPort{}, netip.AddrPort{}
		return nil
	}
	from, ok := header.SourceAddr.(*net.TCPAddr)
	to, ok2 := header.DestinationAddr.(*net.TCPAddr)
	if !ok || !ok2 {
		return errors.New("it tells of no connection by TCP or unix socket")
	}
	c.meta.Client, c.meta.Local = plain(from.AddrPort()), plain(to.AddrPort())
	return nil
}

// plain writes IPv4 addresses as such.
func plain(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// Sizes of PROXY headers (proxy-protocol.txt §2.1 and §2.2).
const (
	longestLine   = 107
	fixedHeader   = 16
	longestHeader = fixedHeader + 4096
)

var errHeader = errors.New("it begins with something else")

// headerSize is the size of the PROXY header that the bytes begin with; 0 while it is not complete, and how many bytes there have to
// be to know more then.
func headerSize(b []byte) (size, need int, err error) {
	signature, line := proxyproto.SIGV2, []byte("PROXY ")
	switch {
	case bytes.HasPrefix(b, signature):
		if len(b) < fixedHeader {
			return 0, fixedHeader, nil
		}
		size = fixedHeader + int(binary.BigEndian.Uint16(b[14:]))
	case bytes.HasPrefix(b, line):
		end := bytes.Index(b[:min(len(b), longestLine)], []byte("\r\n"))
		if end < 0 && len(b) < longestLine {
			return 0, len(b) + 1, nil
		}
		size = end + 2
	case bytes.HasPrefix(signature, b) || bytes.HasPrefix(line, b):
		return 0, len(b) + 1, nil
	default:
		return 0, 0, errHeader
	}
	switch {
	case size < len(line) || size > longestHeader:
		return 0, 0, errors.New("it is too long")
	case size > len(b):
		return 0, size, nil
	}
	return size, 0, nil
}
