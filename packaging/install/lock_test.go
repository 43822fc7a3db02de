package install

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Any number of installations and removals take turns, also while the folder of sites comes and goes.
func TestTurns(t *testing.T) {
	w := newWorld(t, true)
	empty := w.tree(t)
	var all sync.WaitGroup
	for n := range 8 {
		name := fmt.Sprintf("site%d", n%4)
		site := w.site(t, name)
		one := openWorld(filepath.Dir(w.Root), true)
		all.Go(func() {
			for range 4 {
				if _, err := one.try(t.Context(), site, ApplyOptions{}); err != nil {
					t.Error(err)
				}
				if err := Uninstall(t.Context(), name, one.System, nil); err != nil && !errors.Is(err, ErrNone) {
					t.Error(err)
				}
			}
			for _, err := range one.manager.problems {
				t.Error(err)
			}
		})
	}
	all.Wait()
	sameTree(t, w.tree(t), empty)
}

// Whoever waits for a turn can be called off.
func TestTurnCalledOff(t *testing.T) {
	w := newWorld(t, false)
	unlock, err := lockSites(t.Context(), w.System)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	before := w.tree(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := w.try(ctx, w.site(t, "blog"), ApplyOptions{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	sameTree(t, w.tree(t), before)
}

// The lock is a file that others cannot open, and so not hold, and it goes with the turn.
func TestLockIsNobodyElses(t *testing.T) {
	for _, user := range []bool{false, true} {
		w := newWorld(t, user)
		path := "/run/" + lockName
		if user {
			path = "/run/user/me/" + lockName
			mkdir(t, w.at("/run/user/me"))
			w.Getenv = func(name string) string { return map[string]string{"XDG_RUNTIME_DIR": "/run/user/me"}[name] }
			lockedAt(t, w, w.Home) // a folder that others can look into is not taken for it
			if err := os.Chmod(w.at("/run/user/me"), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		before := w.tree(t)
		unlock, err := lockSites(t.Context(), w.System)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Lstat(w.at(path)); err != nil || info.Mode() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
		unlock()
		sameTree(t, w.tree(t), before)
		lockedAt(t, w, path)
		if err := os.Symlink("/etc/passwd", w.at(path)); err != nil {
			t.Fatal(err)
		}
		if _, err := lockSites(t.Context(), w.System); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("through a link: %v", err)
		}
	}
}

// lockedAt checks that a turn has its lock there.
func lockedAt(t *testing.T, w *world, path string) {
	t.Helper()
	unlock, err := lockSites(t.Context(), w.System)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if !isLocked(t, w.at(path)) {
		t.Errorf("%s is not locked", path)
	}
}

func isLocked(t *testing.T, path string) bool {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == unix.EWOULDBLOCK
}

// While the certificate of a site is written or goes, rouse renew does not write another one.
func TestRenewalsWait(t *testing.T) {
	w := newWorld(t, false)
	site := w.site(t, "blog")
	folder := w.at(w.Paths("blog").Site)
	var calls []string
	w.manager.meet = func(call string) error {
		calls = append(calls, call)
		held := isLocked(t, folder)
		if want := call == "close"; held != want && (call == "open" || call == "close") {
			t.Errorf("%s: locked %v", call, held)
		}
		return nil
	}
	w.install(t, site, ApplyOptions{})
	site.Certificate = nil // its timer is closed first
	w.install(t, site, ApplyOptions{})
	if err := Uninstall(t.Context(), "blog", w.System, nil); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(calls, "open") || !slices.Contains(calls, "close") {
		t.Errorf("calls %q", calls)
	}
}
