package platform

import (
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What is done to the thread stays there, and ends with it; the first thread of the process is not taken for it.
func TestOnOwnThread(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // so that the goroutine likes the thread that it was made on
	fd := pair(t)[0]
	for range 20 {
		done := make(chan error)
		tid := 0
		OnOwnThread(func() {
			tid = unix.Gettid()
			err := unix.Unshare(unix.CLONE_FILES)
			if err == nil {
				err = unix.Close(fd) // in a table of its own
			}
			done <- err
		})
		if err := <-done; err != nil {
			t.Skip(err)
		}
		if tid == os.Getpid() {
			t.Fatal("it ran on the first thread")
		}
		if !IsSocket(fd) {
			t.Fatal("the thread's table of descriptors was that of the process")
		}
		for limit := time.Now().Add(patience); unix.Tgkill(os.Getpid(), tid, 0) == nil; {
			if time.Now().After(limit) {
				t.Fatal("the thread does not end")
			}
		}
	}
}
