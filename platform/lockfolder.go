package platform

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// LockFolder takes an advisory lock on the folder (flock(2)) and returns what gives it back. Where it cannot be had (a network
// file system, no permission) two starting processes may still meet; that is no reason not to start.
func LockFolder(folder string) (unlock func()) {
	f, err := os.Open(folder)
	if err != nil {
		return func() {}
	}
	for range 100 { // at most a second: who holds it longer is not a Rouse that starts
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != unix.EWOULDBLOCK {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return func() { f.Close() }
}
