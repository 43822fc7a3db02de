package wake

import (
	"sync"

	"github.com/rouse-server/rouse/platform/process"
)

// given are the connections that an instance was given, by the numbers that the kernel has for their sockets.
type given struct {
	mu     sync.Mutex
	inodes map[uint64]bool
}

func (g *given) add(inode uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inodes == nil {
		g.inodes = map[uint64]bool{}
	}
	g.inodes[inode] = true
}

func (g *given) empty() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.inodes) == 0
}

// keep forgets those that none of the processes has any more, and tells whether one is left.
func (g *given) keep(pids []int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	left := map[uint64]bool{}
	for _, pid := range pids {
		for _, inode := range process.Sockets(pid) {
			if g.inodes[inode] {
				left[inode] = true
			}
		}
	}
	g.inodes = left
	return len(left) > 0
}
