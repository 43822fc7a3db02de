package tree

import (
	"os"

	"golang.org/x/sys/unix"
)

// A folder on the way needs to be searched, not read.
const folderFlags = unix.O_PATH | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC

// kernel opens a name in one call by openat2(2), which keeps below the root by itself.
type kernel struct {
	how *unix.OpenHow // nil where there is no openat2: before Linux 5.6, and under some seccomp filters
}

// probe asks whether there is openat2. A filter answers EPERM for what it does not know.
func probe(r *root, o Options) kernel {
	how := &unix.OpenHow{Flags: unix.O_RDONLY | unix.O_NONBLOCK | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS}
	if !o.Follow {
		how.Resolve |= unix.RESOLVE_NO_SYMLINKS
	}
	k := kernel{how}
	file, err := k.open(r, ".")
	if err != nil {
		return kernel{}
	}
	file.Close()
	return k
}

// open opens a name. A link that is not followed, or that is not followed by the kernel since it leads through the outside,
// is ErrLink.
func (k kernel) open(r *root, name string) (*os.File, error) {
	if k.how == nil {
		return r.walk(name)
	}
	fd := -1
	var err error
	if r.raw.Control(func(base uintptr) {
		fd, err = retry(func() (int, error) { return unix.Openat2(int(base), name, k.how) })
	}) != nil {
		return nil, os.ErrClosed
	}
	switch {
	case err == unix.EXDEV, err == unix.ELOOP && k.how.Resolve&unix.RESOLVE_NO_SYMLINKS != 0:
		return nil, ErrLink
	case err != nil:
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}
