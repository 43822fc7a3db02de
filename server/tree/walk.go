package tree

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// How files are opened. O_NONBLOCK keeps a FIFO without writer, or a device, from holding the request.
const fileFlags = unix.O_RDONLY | unix.O_NONBLOCK | unix.O_NOFOLLOW | unix.O_CLOEXEC

// walk opens a name below r folder by folder, none of which may be a link.
func (r *root) walk(name string) (*os.File, error) {
	fd := -1
	var err error
	if r.raw.Control(func(base uintptr) { fd, err = walk(int(base), name) }) != nil {
		return nil, os.ErrClosed
	}
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

func walk(base int, name string) (int, error) {
	at := base
	for {
		part, rest, more := strings.Cut(name, "/")
		flags := fileFlags
		if more {
			flags = folderFlags
		}
		next, err := retry(func() (int, error) { return unix.Openat(at, part, flags, 0) })
		if err != nil {
			err = linkError(at, part, err)
		}
		if at != base {
			unix.Close(at)
		}
		if err != nil || !more {
			return next, err
		}
		at, name = next, rest
	}
}

// linkError tells ErrLink from other reasons: O_NOFOLLOW on a link is ELOOP, or ENOTDIR where a folder is wanted.
func linkError(at int, part string, err error) error {
	var stat unix.Stat_t
	if err != unix.ELOOP && err != unix.ENOTDIR || unix.Fstatat(at, part, &stat, unix.AT_SYMLINK_NOFOLLOW) != nil {
		return err
	}
	if stat.Mode&unix.S_IFMT == unix.S_IFLNK {
		return ErrLink
	}
	return err
}

// retry calls again what a signal interrupted, as slow file systems (FUSE, NFS) let it be.
func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if err != unix.EINTR {
			return n, err
		}
	}
}
