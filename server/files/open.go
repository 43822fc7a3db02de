package files

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"syscall"
)

// lookup opens the file that a target stands for: the file itself, or for a directory the first of
// its index files that there is. The error is syscall.EISDIR when the target is a directory but
// its path does not end in a slash; statusOf knows all others.
func (h *handler) lookup(t target) (*os.File, os.FileInfo, error) {
	if !t.directory {
		return h.open(t.name)
	}
	for _, index := range h.index {
		file, info, err := h.open(t.name + "/" + index)
		if err == nil {
			return file, info, nil
		}
		if !errors.Is(err, syscall.EISDIR) && statusOf(err) != http.StatusNotFound {
			return nil, nil, err
		}
	}
	return nil, nil, fs.ErrNotExist
}

// open opens a regular file below the root. O_NONBLOCK keeps a FIFO without writer, or a device,
// from holding the request; what was opened is then asked for its kind by its descriptor, since
// the name may mean something else by now.
func (h *handler) open(name string) (*os.File, os.FileInfo, error) {
	file, err := h.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := file.Stat()
	switch {
	case err != nil:
	case info.IsDir():
		err = &fs.PathError{Op: "open", Path: name, Err: syscall.EISDIR}
	case !info.Mode().IsRegular():
		err = &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	default:
		return file, info, nil
	}
	file.Close()
	return nil, nil, err
}

// statusOf is the HTTP status that tells a client of an error of lookup.
func statusOf(err error) int {
	errno, ok := errors.AsType[syscall.Errno](err)
	if !ok {
		if errors.Is(err, os.ErrClosed) {
			return http.StatusInternalServerError
		}
		return http.StatusNotFound // no such file, or os.Root's unexported "path escapes from parent"
	}
	switch errno {
	case syscall.ENOENT, syscall.ENOTDIR, syscall.ELOOP, syscall.ENAMETOOLONG:
		return http.StatusNotFound
	case syscall.ENXIO, syscall.ENODEV, syscall.EOPNOTSUPP: // sockets, devices without a driver
		return http.StatusNotFound
	case syscall.EINVAL, syscall.EILSEQ: // names that vfat or APFS cannot hold
		return http.StatusNotFound
	case syscall.EACCES, syscall.EPERM:
		return http.StatusForbidden
	case syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM:
		return http.StatusServiceUnavailable
	case syscall.EAGAIN: // O_NONBLOCK and somebody holds a lease for writing, see open(2)
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}
