package server

import (
	"runtime"
	"sync"
	"testing"
)

// Without this a server would keep the buffers of all that were there at once, after the last of them is gone.
func TestBuffersAreFreed(t *testing.T) {
	var pool sync.Pool
	freed := make(chan struct{})
	func() {
		buffer := new([bulk]byte)
		runtime.AddCleanup(buffer, func(done chan struct{}) { close(done) }, freed)
		pool.Put(buffer)
	}()
	freeMemory()
	eventually(t, "a buffer in a pool is freed", func() bool {
		select {
		case <-freed:
			return true
		default:
			return false
		}
	})
	runtime.KeepAlive(&pool)
}
