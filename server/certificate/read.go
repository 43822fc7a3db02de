package certificate

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// maxFileSize bounds what is read of one file. Long chains are some 20 KiB; a device or a log is not to be swallowed.
const maxFileSize = 1 << 20

// readFile returns what is in a regular file; kind ("certificate" or "key") says in errors what was wanted from it.
func readFile(kind, file string) ([]byte, error) {
	// O_NONBLOCK: opening a fifo that nobody writes to would block for good.
	f, err := os.OpenFile(file, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, explainOpen(err, kind, file)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read %s %q: %w; check the disk", kind, file, cause(err))
	}
	switch {
	case info.IsDir():
		return nil, fmt.Errorf("read %s %q: it is a directory; name the PEM file in it", kind, file)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("read %s %q: it is a pipe, socket or device; name a regular file, which can be read again when it changes", kind, file)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read %s %q: %w; check the disk", kind, file, cause(err))
	case len(text) == 0:
		return nil, fmt.Errorf("read %s %q: it is empty; install it again", kind, file)
	case len(text) > maxFileSize:
		return nil, fmt.Errorf("read %s %q: it is larger than 1 MiB, so not what it is said to be; check the path", kind, file)
	}
	return text, nil
}

// explainOpen adds to an error of open(2) what to do.
func explainOpen(err error, kind, file string) error {
	switch {
	case file == "":
		return fmt.Errorf("read %s: no file was named; give its path", kind)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("read %s %q: %w; check the path, or put the file there", kind, file, cause(err))
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("read %s %q: %w for uid %d, on the file or a folder above it; let that user read it, or pass it with systemd's LoadCredential=", kind, file, cause(err), os.Geteuid())
	}
	return fmt.Errorf("read %s %q: %w; check the path", kind, file, cause(err))
}

// cause is the bare error number of a file operation; the name stands in our own words already.
func cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
