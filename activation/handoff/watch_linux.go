package handoff

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// watch tells of changes in a folder (inotify(7)). Where it cannot, time passes.
type watch struct{ file *os.File }

// watchFolder watches the folder of a path for files that appear, or whose permissions change.
func watchFolder(path string) *watch {
	if !isPath(path) {
		return &watch{}
	}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return &watch{}
	}
	if _, err := unix.InotifyAddWatch(fd, filepath.Dir(path), unix.IN_CREATE|unix.IN_MOVED_TO|unix.IN_ATTRIB); err != nil {
		unix.Close(fd)
		return &watch{}
	}
	return &watch{os.NewFile(uintptr(fd), "inotify")}
}

// wait returns after a change, or so much time. Its error is the context's.
func (w *watch) wait(ctx context.Context, most time.Duration) error {
	if w.file == nil {
		return sleep(ctx, most)
	}
	w.file.SetReadDeadline(time.Now().Add(most))
	defer context.AfterFunc(ctx, func() { w.file.SetReadDeadline(time.Unix(1, 0)) })()
	var events [4096]byte
	w.file.Read(events[:]) // what happened does not matter: the path is looked at again
	return ctx.Err()
}

func (w *watch) close() {
	if w.file != nil {
		w.file.Close()
	}
}
