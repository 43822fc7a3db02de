package tree

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"testing"
)

func TestStatus(t *testing.T) {
	for _, test := range []struct {
		err  error
		want int
	}{
		{ErrLink, 403}, {fs.ErrNotExist, 404}, {syscall.ENOENT, 404}, {syscall.ENOTDIR, 404}, {syscall.ELOOP, 404}, {syscall.ENAMETOOLONG, 404},
		{syscall.ENXIO, 404}, {syscall.EINVAL, 404}, {errors.New("path escapes from parent"), 404},
		{syscall.EACCES, 403}, {syscall.EPERM, 403},
		{syscall.EMFILE, 503}, {syscall.ENFILE, 503}, {syscall.EAGAIN, 503}, {syscall.ENOMEM, 503},
		{syscall.EIO, 500}, {syscall.ESTALE, 500}, {syscall.ENOTCONN, 500}, {syscall.ETIMEDOUT, 500}, {os.ErrClosed, 500},
	} {
		if got := Status(&fs.PathError{Op: "openat", Path: "x", Err: test.err}); got != test.want {
			t.Errorf("%v is %d, want %d", test.err, got, test.want)
		}
	}
}
