package install

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// turnLimit is how long others may take: a service that drains its connections is waited for.
const turnLimit = 3 * time.Minute

// lockSites has processes that install or uninstall at once take turns, by a lock that ends with the process (flock(2)). It lies
// on a folder that is always there, as that of the sites comes and goes.
func lockSites(ctx context.Context, sys System) (unlock func(), err error) {
	folder := "/etc"
	switch {
	case sys.User:
		folder = sys.Home
	case sys.OS == "darwin":
		folder = "/Library"
	}
	f, err := os.Open(sys.at(folder))
	if errors.Is(err, fs.ErrNotExist) && sys.User {
		return nil, Problem{Text: fmt.Sprintf("your home folder %s is not there: set HOME to the one that is", folder)}
	}
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", folder, plain(err))
	}
	limit := time.Now().Add(turnLimit)
	// Where the file system knows no such locks, the turn begins at once.
	for unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == unix.EWOULDBLOCK {
		select {
		case <-ctx.Done():
			err = fmt.Errorf("another rouse is at work, and nothing was changed: %w", ctx.Err())
		case <-time.After(20 * time.Millisecond):
			if time.Now().After(limit) {
				err = fmt.Errorf("another program has had a lock on %s for %v (see /proc/locks, lsof): nothing was changed; try again when it is done", folder, turnLimit)
			}
		}
		if err != nil {
			f.Close()
			return nil, err
		}
	}
	return func() { f.Close() }, nil // which gives the lock back
}
