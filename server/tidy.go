package server

import (
	"runtime"
	"runtime/debug"
)

// freeMemory gives what is not used of the heap back to the system. Buffers that wait in a sync.Pool for their next use survive one
// collection, and nobody may come for a long time to make another.
func freeMemory() {
	runtime.GC()
	debug.FreeOSMemory()
}
