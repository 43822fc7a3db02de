package wake

import "time"

// instance is one run of the program.
type instance struct {
	main    *child
	started time.Time
	ready   chan struct{} // closed by the engine when it listens on every socket that it is expected to take
	gone    chan struct{} // closed by the engine when none of its processes is left
	errors  *tail         // the last lines that it wrote to standard error

	background bool         // its main process ended with 0, and others go on: a daemon
	before     map[int]bool // the processes right below this one when it was started, which are an older instance's
}

// over tells whether the channel was closed.
func over(happened <-chan struct{}) bool {
	select {
	case <-happened:
		return true
	default:
		return false
	}
}
