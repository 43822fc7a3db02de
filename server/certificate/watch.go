package certificate

import (
	"context"
	"crypto/x509"
	"time"

	"golang.org/x/sys/unix"
)

// Watch looks at both files every so often (2 s is good) until ctx ends, and reloads the pair when they changed. It
// calls report with the leaf when new handshakes get another certificate, or a usable pair has come back after a
// failure; and with the error, once per state of the files, when the pair on disk cannot be used and the old one is
// kept. It returns at once for a pair that lives in memory and when every is not positive.
//
// It polls, and does not ask the kernel to be told (inotify, kqueue), because those watch inodes, while a certificate is
// a path: certbot swaps a link, Kubernetes the folder (..data) that a link leads through, others rename a file over it.
// Nor do they see what another machine changes on a shared file system. Two stat calls see all of it, alike everywhere.
func (s *Store) Watch(ctx context.Context, every time.Duration, report func(leaf *x509.Certificate, err error)) {
	if s.certFile == "" || every <= 0 {
		return
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	w := s.opened // not the state found here: the files may have changed since
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			w.look(s, report)
		}
	}
}

// watch is what is known of the files from one look to the next.
type watch struct {
	seen    state
	settled bool // the pair was read well when its files had stood still for one interval
	told    bool // the failure in this state was reported
	failing bool // the latest report was a failure
}

// fileStep is how coarse the times of files can be (FAT's are even seconds).
const fileStep = 2 * time.Second

// opening is what is known before the files are read at a time: files that have long stood still need not be read once more.
func opening(certFile, keyFile string, now time.Time) watch {
	seen := stateOf(certFile, keyFile)
	return watch{seen: seen, settled: seen.cert.isOld(now) && seen.key.isOld(now)}
}

// look reloads the pair when its files changed, and once more one interval later. The second reading catches what was
// written within the resolution of the file times, and only it reports a failure: a pair whose files are replaced one
// after the other is broken in between, which is nothing to wake anybody for. A broken pair is read again at each look,
// because the cause may be outside of the files (descriptors used up, an I/O error).
func (w *watch) look(s *Store, report func(*x509.Certificate, error)) {
	now := stateOf(s.certFile, s.keyFile)
	still := now == w.seen
	if still && w.settled {
		return
	}
	if !still {
		w.told = false
	}
	changed, err := s.Reload()
	switch {
	case err == nil && (changed || w.failing):
		w.failing = false
		report(s.Leaf(), nil)
	case err != nil && still && !w.told:
		w.told, w.failing = true, true
		report(nil, err)
	}
	w.seen, w.settled = now, still && err == nil
}

// state is what stat(2) tells of the two files, links followed.
type state struct{ cert, key identity }

// identity changes whenever a path leads to another file or the file's contents or permissions change: ctime cannot be
// set back by cp -p, rsync -t or tar.
type identity struct {
	dev, ino     uint64
	size         int64
	mtime, ctime unix.Timespec
	err          error // a unix.Errno: the file is gone, or may not be looked at
}

func stateOf(certFile, keyFile string) state { return state{identityOf(certFile), identityOf(keyFile)} }

func identityOf(file string) identity {
	var st unix.Stat_t
	if err := unix.Stat(file, &st); err != nil {
		return identity{err: err}
	}
	return identity{dev: uint64(st.Dev), ino: st.Ino, size: st.Size, mtime: st.Mtim, ctime: st.Ctim}
}

// isOld tells whether no change can have gone unnoticed because it came with the same time as the last one.
func (i identity) isOld(now time.Time) bool {
	return i.err == nil && now.Sub(time.Unix(i.ctime.Unix())) > fileStep
}
