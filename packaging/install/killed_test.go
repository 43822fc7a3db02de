package install

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// killed is what a child process does, which is killed at a step.
type killed struct {
	Folder    string // of the world
	User      bool
	Site      Site
	Uninstall bool
	Step      int
}

const killedVariable = "ROUSE_TEST_KILLED"

// TestKilledChild is the child, and no test of its own.
func TestKilledChild(t *testing.T) {
	text := os.Getenv(killedVariable)
	if text == "" {
		return
	}
	var k killed
	if err := json.Unmarshal([]byte(text), &k); err != nil {
		t.Fatal(err)
	}
	steps := k.Step
	step := func() error {
		if steps--; steps < 0 {
			if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			select {}
		}
		return nil
	}
	w := openWorld(k.Folder, k.User)
	w.manager.meet = func(string) error { return step() }
	var err error
	if k.Uninstall {
		err = Uninstall(t.Context(), k.Site.Name, w.System, func(string) { step() })
	} else {
		left := 0
		_, err = w.try(countdown{t.Context(), &left, step}, k.Site, ApplyOptions{Force: true})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// die runs the child, and tells whether it was killed.
func (k killed) die(t *testing.T) bool {
	t.Helper()
	text, err := json.Marshal(k)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	child := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestKilledChild$")
	child.Env = append(os.Environ(), killedVariable+"="+string(text))
	output, err := child.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signal() == syscall.SIGKILL && ctx.Err() == nil {
			return true
		}
	}
	if err != nil {
		t.Fatalf("the child: %v: %s", err, output)
	}
	return false
}

// copied is another world with the same in it.
func (w *world) copied(t *testing.T) *world {
	t.Helper()
	from, to := filepath.Dir(w.Root), quickFolder(t)
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == from {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		target := filepath.Join(to, strings.TrimPrefix(path, from))
		if entry.IsDir() {
			return errors.Join(os.Mkdir(target, 0o700), os.Chmod(target, info.Mode()))
		}
		text, err := os.ReadFile(path)
		return errors.Join(err, os.WriteFile(target, text, 0o600), os.Chmod(target, info.Mode()))
	})
	if err != nil {
		t.Fatal(err)
	}
	return openWorld(to, w.User)
}

// remove uninstalls, and does not mind when there is nothing.
func (w *world) remove(t *testing.T, name string) {
	t.Helper()
	if err := Uninstall(t.Context(), name, w.System, nil); err != nil && !errors.Is(err, ErrNone) {
		t.Fatal(err)
	}
	w.contract(t)
}

// unforced is a tree with the files that were in the way at their places, whether they have been kept as copies yet or not.
func unforced(tree map[string]string) map[string]string {
	all := map[string]string{}
	for path, about := range tree {
		all[strings.TrimSuffix(path, ".bak-1")] = about
	}
	return all
}

// After kill -9 at any step of an installation or a removal, to install completes what was begun and to uninstall removes it, as
// if nobody had been killed.
func TestKilled(t *testing.T) {
	for stage, prepare := range stages() {
		for _, uninstall := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, uninstall %v", stage, uninstall), func(t *testing.T) {
				t.Parallel()
				for n := 0; ; n++ {
					w := newWorld(t, n%2 == 1)
					site := prepare(t, w)
					if uninstall {
						w.install(t, site, ApplyOptions{Force: true})
					}
					quiet := w.copied(t)
					if died := (killed{filepath.Dir(w.Root), w.User, site, uninstall, n}).die(t); !died {
						if n < 5 {
							t.Fatalf("it has only %d steps", n)
						}
						return
					}
					sameEnd(t, site, quiet, w)
					if t.Failed() {
						t.Fatalf("at step %d", n)
					}
				}
			})
		}
	}
}

// sameEnd holds the world in which somebody was killed against one that was quiet, when the site is installed and when it is
// uninstalled.
func sameEnd(t *testing.T, site Site, quiet, w *world) {
	t.Helper()
	other := w.copied(t)
	other.remove(t, site.Name)
	quiet.install(t, site, ApplyOptions{Force: true})
	w.install(t, site, ApplyOptions{Force: true})
	sameTree(t, w.tree(t), quiet.tree(t))
	if got, want := w.manager.loaded(), quiet.manager.loaded(); len(got) != len(want) {
		t.Errorf("open are %q, want %q", got, want)
	}
	quiet.remove(t, site.Name)
	sameTree(t, unforced(other.tree(t)), unforced(quiet.tree(t)))
	if got, want := other.manager.loaded(), quiet.manager.loaded(); len(got) != len(want) {
		t.Errorf("open are %q, want %q", got, want)
	}
}
