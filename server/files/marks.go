package files

import (
	"net/http"
	"path"
	"syscall"
	"time"

	"github.com/rouse-server/rouse/server/reply"
	"github.com/rouse-server/rouse/server/tree"
)

// mark says to a recording that the reply which is about to begin may be sent again. The body is known then, if it is that of
// before.
func (s *sending) mark(status int) {
	switch {
	case s.recording == nil:
	case status == http.StatusOK && s.coding != "" && !s.encodesWhole():
		reply.Decline(s)
	case status != http.StatusOK && status != http.StatusNotModified || !s.id.settled(time.Now()):
	case !s.recording.Keeps():
		s.recording.Mark(nil)
	case status == http.StatusNotModified:
		s.recording.Mark(nil)
		s.source()
	default:
		s.source()
		if body, known := s.recording.Mark(s.variant()); known {
			s.body, s.known = body, true
		}
	}
}

// source says how to find out whether the file, and the folder that it was found in, are still as they are now: what appears beside a file
// may be served in its place (an index file, a precompressed one). Of a folder that changed while the file was sought it says nothing.
func (s *sending) source() {
	tree, name, folder, id := s.h.tree, s.name, path.Dir(s.name), s.id
	around, err := stateOf(tree, folder)
	if err != nil || !around.settled(s.sought) {
		return
	}
	s.recording.Source(func() bool {
		now, err := stateOf(tree, name)
		if err != nil || now != id {
			return false
		}
		now, err = stateOf(tree, folder)
		return err == nil && now == around
	})
}

// stateOf is the state of what has a name.
func stateOf(t *tree.Tree, name string) (Identity, error) {
	var stat syscall.Stat_t
	if err := t.Stat(name, &stat); err != nil {
		return Identity{}, err
	}
	return identity(&stat), nil
}

// How long ago a file must have changed last for the next change to show in its times: longer than a tick of the kernel's clock
// (CONFIG_HZ), or than the step of file systems that do without fractions of a second (FAT has two).
const (
	tick       = 20 * time.Millisecond
	coarseTick = 2 * time.Second
)

// settled tells whether no change of the file can go unnoticed any more.
func (id Identity) settled(now time.Time) bool {
	margin := tick
	if id.modified.Nsec == 0 && id.changed.Nsec == 0 {
		margin = coarseTick
	}
	modified, changed := now.Sub(moment(id.modified)), now.Sub(moment(id.changed))
	return changed > margin && (modified > margin || modified < -margin) // who sets a time in the future means it
}

func moment(t syscall.Timespec) time.Time { return time.Unix(t.Unix()) }

// check keeps a reply from being sent again whose file changed while it was read.
func (s *sending) check() {
	if s.recording != nil && s.recording.Keeps() && s.body == nil && unchanged(s.file, s.id) != nil {
		reply.Forbid(s)
	}
}
