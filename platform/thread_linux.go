package platform

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// OnOwnThread runs f, without waiting for it, on a thread that ends with it: what f does to its thread (a filter, privileges,
// a private table of descriptors) stays there, and is gone afterwards. Go starts no other thread from it.
func OnOwnThread(f func()) {
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() != unix.Getpid() {
			f() // the thread stays locked, and Go ends it with its goroutine
			return
		}
		started := make(chan struct{}) // the first thread of a process never ends: it is kept away until another one is found
		go func() {
			runtime.LockOSThread()
			close(started)
			f()
		}()
		<-started
		runtime.UnlockOSThread()
	}()
}
