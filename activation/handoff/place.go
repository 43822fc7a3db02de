package handoff

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/platform"
)

// backlog is how many may wait to be accepted at a socket that listens here; the kernel takes less where somaxconn is less.
const backlog = 4096

// bindAt binds the unix socket to the path, and lets one that takes connections listen. A socket file that a dead process
// left goes away; the living are never robbed of theirs. Until mode, owner and group (-1: as they are) are as asked nobody
// but root may connect, and by then it listens: who waits for the file is never refused. remove takes the file away again, if
// it is still this socket's. The descriptor stays the caller's.
func bindAt(fd int, path string, mode fs.FileMode, owner, group int) (remove func(), err error) {
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return nil, fmt.Errorf("%s: type of socket: %w", path, err)
	}
	if err := checkPath(path); err != nil {
		return nil, err
	}
	if strings.HasPrefix(path, "@") { // an abstract name, which has no file (unix(7))
		return func() {}, bindAndListen(fd, kind, path)
	}
	defer platform.LockFolder(filepath.Dir(path))() // of two processes that find the same stale file only one removes it
	if err := removeStale(kind, path); err != nil {
		return nil, err
	}
	restore := hideFile(fd)
	err = bindName(fd, path)
	restore()
	if err != nil {
		return nil, err
	}
	file, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if err = listenOn(fd, kind, path); err == nil {
		err = errors.Join(own(path, owner, group), os.Chmod(path, mode))
	}
	if err != nil {
		os.Remove(path)
		return nil, err
	}
	return sync.OnceFunc(func() { removeOwn(path, file) }), nil
}

// own changes who owns the file. Where nothing is asked for the call is not made: system call filters of services refuse it.
func own(path string, owner, group int) error {
	if owner < 0 && group < 0 {
		return nil
	}
	if err := os.Lchown(path, owner, group); err != nil {
		return fmt.Errorf("%w: leave owner and group out, or start it with CAP_CHOWN, as root has it", err)
	}
	return nil
}

// removeOwn takes the file away if it is still that one. As long as its socket is open no other file can have its inode.
func removeOwn(path string, file fs.FileInfo) {
	defer platform.LockFolder(filepath.Dir(path))() // nobody binds the name between the look and the removal
	if now, err := os.Lstat(path); err == nil && os.SameFile(now, file) {
		os.Remove(path)
	}
}

func bindAndListen(fd, kind int, path string) error {
	if err := bindName(fd, path); err != nil {
		return err
	}
	return listenOn(fd, kind, path)
}

func bindName(fd int, path string) error {
	err := unix.Bind(fd, &unix.SockaddrUnix{Name: path})
	switch err {
	case nil:
		return nil
	case unix.EADDRINUSE:
		return fmt.Errorf("%s: another program holds this name: stop that, or choose another: %w", path, err)
	case unix.ENOENT, unix.EACCES:
		return fmt.Errorf("%s: the folder %s has to exist and this user to have write access to it: %w", path, filepath.Dir(path), err)
	}
	return fmt.Errorf("%s: %w", path, err)
}

func listenOn(fd, kind int, path string) error {
	if kind == unix.SOCK_DGRAM {
		return nil
	}
	if err := unix.Listen(fd, backlog); err != nil {
		return fmt.Errorf("%s: listen: %w", path, err)
	}
	return nil
}

// checkPath refuses what cannot be bound: sun_path holds 108 bytes on Linux, the last one NUL (unix(7)).
func checkPath(path string) error {
	most := len(unix.RawSockaddrUnix{}.Path) - 1
	switch {
	case path == "":
		return errors.New("a path such as /run/rouse/site.sock is needed, and none was given")
	case len(path) > most:
		return fmt.Errorf("%s: the path has %d bytes, a unix socket's path at most %d: choose a shorter one", path, len(path), most)
	case strings.ContainsRune(path, 0):
		return fmt.Errorf("%q: the path holds a NUL byte", path)
	}
	return nil
}

// removeStale removes the socket file that a dead process left: only a socket, and only after nobody answered on it.
func removeStale(kind int, path string) error {
	file, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case file.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s: there is a file of that name that is no socket: remove it, or choose another path", path)
	}
	switch err := probe(kind, path); err {
	case unix.ECONNREFUSED:
	case nil, unix.EPROTOTYPE, unix.EPERM, unix.EAGAIN: // of another type, with a peer of its own, or its queue is full: alive
		return fmt.Errorf("%s: another program answers on it: stop that, or choose another path: %w", path, unix.EADDRINUSE)
	default:
		return fmt.Errorf("%s: exists, and whether anybody answers on it cannot be told: %w", path, err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove the stale socket file: %w", err)
	}
	return nil
}

// probe connects to the path and returns what connect(2) says.
func probe(kind int, path string) error {
	fd, err := newSocket(kind)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Connect(fd, &unix.SockaddrUnix{Name: path})
}
