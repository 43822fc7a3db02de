package install

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"
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
