package install

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// tryPath tells whether a program listens at a path. The manager replaces a socket where nobody does.
func (p ports) tryPath(ctx context.Context, a address) (taken bool, err error) {
	limit := 107 // unix(7): sun_path, and the zero behind it
	if p.sys.OS == "darwin" {
		limit = 103 // unix(4)
	}
	if len(a.path) > limit {
		return false, Problem{Usage: true, Text: fmt.Sprintf("%s: the path of a socket has at most %d bytes: choose a shorter one", a.text, limit)}
	}
	if strings.HasPrefix(a.path, "@") {
		return dial(ctx, a, a.path), nil
	}
	path := p.sys.at(a.path)
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, p.checkParent(a)
	case err != nil:
		return false, Problem{Text: fmt.Sprintf("%s: %v", a.text, plain(err))}
	case info.Mode().Type() != fs.ModeSocket:
		return false, Problem{Text: fmt.Sprintf("%s is there already, and is no socket: remove it, or choose another path by --listen", a.text)}
	}
	return dial(ctx, a, path), nil
}

// checkParent tells of a folder that nobody makes: systemd makes it (DirectoryMode= of systemd.socket(5)), launchd does not.
func (p ports) checkParent(a address) error {
	folder := filepath.Dir(a.path)
	if info, err := os.Stat(p.sys.at(folder)); p.sys.OS == "darwin" && (err != nil || !info.IsDir()) {
		return Problem{Text: fmt.Sprintf("%s: there is no folder %s: make it first", a.text, folder)}
	}
	return nil
}

// dial tells whether somebody listens on a unix socket.
func dial(ctx context.Context, a address, path string) bool {
	network := "unix"
	if a.datagram {
		network = "unixgram"
	}
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(ctx, network, path)
	if err == nil {
		conn.Close()
	}
	return err == nil || errors.Is(err, syscall.EAGAIN) || errors.Is(err, os.ErrDeadlineExceeded)
}
