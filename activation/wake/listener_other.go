//go:build !linux

package wake

// newListenerEngine refuses: no other system lets one process answer the system calls of another.
func newListenerEngine(Config, *children) (engine, error) {
	return nil, refused("listener mode needs Linux: use --mode=proxy, or leave --mode out")
}
