package main

import "golang.org/x/sys/unix"

// descriptorLimit is how many descriptors a process may have.
func descriptorLimit() uint64 {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return few // cannot fail: the pointer is good
	}
	return limit.Cur
}

// raiseDescriptorLimit allows bench, and all that it starts, as many as some servers want to keep files open with: as far as may be.
func raiseDescriptorLimit() {
	const wanted = 131_072
	for _, limit := range []uint64{wanted, 0} {
		var now unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &now); err != nil {
			return
		}
		if limit == 0 {
			limit = now.Max
		}
		if now.Cur >= limit {
			return
		}
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: limit, Max: max(limit, now.Max)}); err == nil {
			return
		}
	}
}
