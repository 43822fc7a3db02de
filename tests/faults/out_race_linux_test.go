package faults

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What is looked up is what is opened: a folder or file that somebody swaps for a link to the outside, all the time and as a whole,
// never lets anything of the outside through.
func TestOutRace(t *testing.T) {
	t.Parallel()
	span := time.Second
	if isLong() {
		span = 30 * time.Second
	}
	for _, follow := range []bool{false, true} {
		t.Run(fmt.Sprintf("followed=%v", follow), func(t *testing.T) {
			dir := outSite(t)
			outWrite(t, dir, map[string]string{
				"site/race/x.txt": "fine", "site/race/sub/x.txt": "fine", "site/file.txt": "fine", "site/file.txt.gz": "fine", "outside/name-" + canary: canary, "outside/sub/x.txt": canary,
				"spare/race -> ../outside": "", "spare/file.txt -> ../outside.txt": "", "spare/file.txt.gz -> ../outside/a.txt.gz": "", "spare/hidden -> .git": "", "site/shown/config": "fine",
			})
			pair := outPair(t, "--root", filepath.Join(dir, "site"), fmt.Sprintf("--disable-symlinks=%v", !follow), "--reply-ttl=0", "--directory-listing", "--directory-listing-format=auto", "--directory-listing-download=targz,zip", "--compression-static", "--index-files=none")
			ctx, cancel := context.WithTimeout(t.Context(), span)
			defer cancel()
			var all sync.WaitGroup
			var swaps, asked, fine, refused atomic.Int64
			swapped := map[string]string{"spare/race": "site/race", "spare/file.txt": "site/file.txt", "spare/file.txt.gz": "site/file.txt.gz"}
			if !follow { // else a link shows what is hidden, on purpose
				swapped["spare/hidden"] = "site/shown"
			}
			for from, to := range swapped {
				all.Go(func() {
					for ctx.Err() == nil {
						if err := unix.Renameat2(unix.AT_FDCWD, filepath.Join(dir, from), unix.AT_FDCWD, filepath.Join(dir, to), unix.RENAME_EXCHANGE); err != nil {
							t.Error(err)
							return
						}
						swaps.Add(1)
					}
				})
			}
			all.Go(func() { // as editors and deployments do it: a new one is renamed over the old one
				for ctx.Err() == nil {
					for _, put := range []func(name string) error{
						func(name string) error { return os.Symlink("../outside.txt", name) },
						func(name string) error { return os.WriteFile(name, []byte("fine"), 0o644) },
					} {
						fresh := filepath.Join(dir, "spare/renamed")
						if err := errors.Join(put(fresh), os.Rename(fresh, filepath.Join(dir, "site/renamed.txt"))); err != nil {
							t.Error(err)
							return
						}
						swaps.Add(1)
					}
				}
			})
			targets := []string{"/renamed.txt", "/race/x.txt", "/race/sub/x.txt", "/race/index.html", "/file.txt", "/race/", "/race/sub/", "/", "/?download=targz", "/race/?download=targz", "/race/?download=zip", "/shown/config", "/shown/", "/shown/?download=zip"}
			for _, s := range pair {
				for _, asker := range outAskers(t, s) {
					all.Go(func() {
						for i := 0; ctx.Err() == nil; i++ {
							target := targets[i%len(targets)]
							got := asker.ask(target, "Accept: "+[]string{"*/*", "application/json"}[i%2], "Accept-Encoding: "+[]string{"identity", "gzip"}[i/2%2])
							asked.Add(1)
							switch {
							case got.body == "fine":
								fine.Add(1)
							case got.status == 403 || got.status == 404:
								refused.Add(1)
							}
							if outArchived(got, canary) || strings.Contains(strings.Join(outNames(got.body), " "), "canary") || got.status >= 500 {
								t.Errorf("%v: %s is %d: %.300q", asker, target, got.status, got.raw)
								return
							}
						}
					})
				}
			}
			all.Wait()
			if fine.Load() == 0 || refused.Load() == 0 {
				t.Errorf("of %d replies %d were of the file and %d refused: there was no race", asked.Load(), fine.Load(), refused.Load())
			}
			tell(t, row{Kind: "out", What: fmt.Sprintf("folders and files swapped for links to the outside, links followed: %v", follow), Tried: fmt.Sprintf("%d swaps (renameat2, rename) during %d requests for files, listings, archives", swaps.Load(), asked.Load()), Rouse: "nothing from outside"})
		})
	}
}
