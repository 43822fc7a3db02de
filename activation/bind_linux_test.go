package activation

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A socket that could not be given to its owner is not left behind, open to the wrong one.
func TestBindUnixOwnerRefused(t *testing.T) {
	dir := shortDir(t)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		// Linux keeps the user id for file access per thread, and takes CAP_CHOWN away with it (setfsuid(2), capabilities(7)).
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if _, err := unix.SetfsuidRetUid(65534); err != nil {
			t.Fatal(err)
		}
		defer unix.SetfsuidRetUid(0)
	}
	path := filepath.Join(dir, "s")
	sockets, err := opener().Open([]Address{address(t, "unix:"+path+"?owner=0")})
	Close(sockets)
	expectError(t, "root's", err, path)
	if !errors.Is(err, syscall.EPERM) {
		t.Errorf("%v is not EPERM", err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}
