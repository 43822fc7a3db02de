package install

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// turnLimit is how long others may take: a service that drains its connections is waited for.
	turnLimit = 3 * time.Minute
	// renewalLimit is how long a renewal may take, which writes two files.
	renewalLimit = 10 * time.Second

	lockName = "rouse-install.lock"
)

// lockSites has processes that install or uninstall at once take turns, by a lock that ends with the process (flock(2)). It lies
// where nobody else can hold it, and so keep this one waiting: on a file in a folder of root's, or of the user's own. Users who
// have no such folder have it on their home.
func lockSites(ctx context.Context, sys System) (unlock func(), err error) {
	folder, own := lockFolder(sys)
	if !own {
		return lockHome(ctx, sys)
	}
	path := filepath.Join(folder, lockName)
	for {
		f, err := os.OpenFile(sys.at(path), os.O_RDONLY|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
		if err != nil {
			return nil, fmt.Errorf("lock %s: %w", path, plain(err))
		}
		if err := takeTurn(ctx, f, path, turnLimit); err != nil {
			f.Close()
			return nil, err
		}
		if isAt(f, sys.at(path)) {
			return func() {
				os.Remove(sys.at(path)) // or it stays, empty, until the next boot
				f.Close()
			}, nil
		}
		f.Close() // whoever had the turn before took the file away
	}
}

// lockFolder is where the lock's file lies: not in /etc or a home, where it would be found in every copy and comparison. own tells
// whether there is such a folder.
func lockFolder(sys System) (folder string, own bool) {
	switch {
	case !sys.User && sys.OS == "darwin":
		return "/var/run", true
	case !sys.User:
		return "/run", true
	case sys.OS == "darwin":
		return "", false
	}
	folder = sys.Getenv("XDG_RUNTIME_DIR")
	if !filepath.IsAbs(folder) { // su and cron do not set it; pam_systemd(8) does so to this value
		folder = fmt.Sprintf("/run/user/%d", os.Geteuid())
	}
	info, err := os.Lstat(sys.at(folder))
	if err != nil || !info.IsDir() || info.Mode().Perm() != 0o700 {
		return "", false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return folder, ok && int(stat.Uid) == os.Geteuid()
}

func lockHome(ctx context.Context, sys System) (unlock func(), err error) {
	f, err := os.Open(sys.at(sys.Home))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, Problem{Text: fmt.Sprintf("your home folder %s is not there: set HOME to the one that is", sys.Home)}
	}
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", sys.Home, plain(err))
	}
	if err := takeTurn(ctx, f, sys.Home, turnLimit); err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil // which gives the lock back
}

// errHeld says that somebody has a lock for longer than it takes.
var errHeld = errors.New("held for too long")

// takeTurn waits for a lock. Where the file system knows no such locks, the turn begins at once.
func takeTurn(ctx context.Context, f *os.File, path string, limit time.Duration) error {
	over := time.Now().Add(limit)
	for unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == unix.EWOULDBLOCK {
		select {
		case <-ctx.Done():
			return fmt.Errorf("another rouse is at work, and nothing was changed: %w", ctx.Err())
		case <-time.After(20 * time.Millisecond):
			if time.Now().After(over) {
				return fmt.Errorf("another program has had a lock on %s for %v (see /proc/locks, lsof): nothing was changed; try again when it is done: %w", path, limit, errHeld)
			}
		}
	}
	return nil
}

// isAt tells whether a file is the one that lies at a path.
func isAt(f *os.File, path string) bool {
	mine, err1 := f.Stat()
	there, err2 := os.Lstat(path)
	return err1 == nil && err2 == nil && os.SameFile(mine, there)
}

// lockPair keeps rouse renew from writing a certificate meanwhile into the folder of a site, by the lock that it takes
// (certificate.RenewSelfSigned). Whoever has it for longer than a renewal takes is none, and is not waited for.
func lockPair(ctx context.Context, folder string) (unlock func(), err error) {
	f, err := os.Open(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return func() {}, nil
	}
	if err != nil {
		return nil, err
	}
	if err := takeTurn(ctx, f, folder, renewalLimit); err != nil && !errors.Is(err, errHeld) {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}
