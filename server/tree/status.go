package tree

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"syscall"
)

// Status is the HTTP status that tells a client of an error of Open: 404, 403, 503 (no descriptors, or somebody holds a
// lease: worth another try), or 500.
func Status(err error) int {
	switch {
	case errors.Is(err, ErrLink):
		return http.StatusForbidden
	case errors.Is(err, fs.ErrNotExist):
		return http.StatusNotFound
	case errors.Is(err, os.ErrClosed):
		return http.StatusInternalServerError
	}
	errno, ok := errors.AsType[syscall.Errno](err)
	if !ok {
		return http.StatusNotFound // filepath.EvalSymlinks: too many links
	}
	switch errno {
	case syscall.ENOTDIR, syscall.ELOOP, syscall.ENAMETOOLONG:
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
