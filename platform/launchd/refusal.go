package launchd

import (
	"fmt"
	"syscall"
)

// refusal says what launchd's answer to a request for name means and what to change. It wraps errno.
func refusal(name string, errno syscall.Errno) error {
	switch errno {
	case syscall.ENOENT:
		return fmt.Errorf("launchd has no socket named %q for this job: name it under Sockets in the property list, "+
			"or say launchd:NAME with a name that is there: %w", name, errno)
	case syscall.ESRCH:
		return fmt.Errorf("launchd has no socket named %q for this process: name it under Sockets in the property "+
			"list, and let launchd start the program: %w", name, errno)
	case syscall.EALREADY:
		return fmt.Errorf("launchd socket %q was taken by this process before, and launchd gives each name once: "+
			"use it in one address only, or add another name under Sockets in the property list: %w", name, errno)
	case syscall.EINVAL:
		return fmt.Errorf("launchd takes no socket name like %q: use a key of Sockets in the property list: %w",
			name, errno)
	}
	return fmt.Errorf("take launchd socket %q: %w: check its entry under Sockets in the property list against "+
		"what launchctl print shows", name, errno)
}
