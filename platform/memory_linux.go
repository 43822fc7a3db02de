package platform

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE

// Sealed makes a file in memory that nobody can change any more, and only this user open again (memfd_create(2)). It is closed
// on exec. name is seen in /proc.
func Sealed(name string, content []byte) (fd int, err error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err = unix.MemfdCreate(name, flags|unix.MFD_NOEXEC_SEAL)
	if err == unix.EINVAL { // before Linux 6.3
		fd, err = unix.MemfdCreate(name, flags)
	}
	if err != nil {
		return -1, fmt.Errorf("memfd_create: %w", err)
	}
	if err := fill(fd, content); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func fill(fd int, content []byte) error {
	if err := unix.Fchmod(fd, 0o600); err != nil {
		return fmt.Errorf("fchmod: %w", err)
	}
	if n, err := unix.Pwrite(fd, content, 0); err != nil || n < len(content) {
		return fmt.Errorf("write: %d of %d bytes: %w", n, len(content), err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	return nil
}

// ReadSealed reads what Sealed made. What somebody could still change, or holds more than limit bytes, is refused.
func ReadSealed(fd, limit int) ([]byte, error) {
	if has, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0); err != nil || has&seals != seals {
		return nil, errors.New("no sealed file in memory")
	}
	content := make([]byte, limit+1)
	n, err := unix.Pread(fd, content, 0)
	switch {
	case err != nil:
		return nil, fmt.Errorf("read: %w", err)
	case n > limit:
		return nil, fmt.Errorf("more than %d bytes", limit)
	}
	return content[:n], nil
}
