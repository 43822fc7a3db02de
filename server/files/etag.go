package files

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
	"time"
)

// identity tells one state of one file from all others on this machine: it changes when the file
// is replaced, written to or renamed over.
type identity struct {
	device, inode     uint64
	size              int64
	modified, changed syscall.Timespec
}

func identityOf(info os.FileInfo) identity {
	stat := info.Sys().(*syscall.Stat_t) // package os puts it there on every Unix
	id := identity{device: uint64(stat.Dev), inode: stat.Ino, size: stat.Size}
	id.modified, id.changed = times(stat)
	return id
}

// tag is a strong ETag made from size, times and inode. They go through a hash, so that the inode
// is not told. The device is left out: its number may change with each mount.
func (id identity) tag() string {
	state := make([]byte, 0, 48)
	for _, n := range []int64{id.size, id.modified.Sec, id.modified.Nsec, id.changed.Sec, id.changed.Nsec, int64(id.inode)} {
		state = binary.LittleEndian.AppendUint64(state, uint64(n))
	}
	sum := sha256.Sum256(state)
	return entityTag(sum[:])
}

// entityTag quotes the first 128 bits of a hash as RFC 9110 §8.8.3 wants it.
func entityTag(sum []byte) string {
	tag := append(make([]byte, 0, 24), '"')
	tag = base64.RawURLEncoding.AppendEncode(tag, sum[:16])
	return string(append(tag, '"'))
}

// hasNoTime reports whether a time of modification says nothing: Unix 0 and 1 are what the Nix
// store and reproducible images give to every file in every version.
func hasNoTime(modified time.Time) bool {
	second := modified.Unix()
	return second == 0 || second == 1
}

// The number of files whose contents' ETags are kept; each takes about 200 bytes.
const maxContentTags = 4096

// contentTags makes ETags from what files contain, once per state of a file.
type contentTags struct {
	mu   sync.Mutex
	tags map[identity]*contentTag
}

type contentTag struct {
	done  chan struct{} // closed when value and err are set
	value string
	err   error
}

func newContentTags() *contentTags {
	return &contentTags{tags: make(map[identity]*contentTag)}
}

// tag returns the strong ETag of what file contains. The first to ask reads the file, from its
// start and without moving its offset; who comes meanwhile waits for that, or for ctx to end.
func (c *contentTags) tag(ctx context.Context, file *os.File, id identity) (string, error) {
	c.mu.Lock()
	t, known := c.tags[id]
	if !known {
		t = &contentTag{done: make(chan struct{})}
		c.add(id, t)
	}
	c.mu.Unlock()
	if known {
		select {
		case <-t.done:
			return t.value, t.err
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	t.value, t.err = hashContent(file, id)
	if t.err != nil {
		c.mu.Lock()
		if c.tags[id] == t {
			delete(c.tags, id)
		}
		c.mu.Unlock()
	}
	close(t.done)
	return t.value, t.err
}

// add keeps t, in the place of any other one when there are too many.
func (c *contentTags) add(id identity, t *contentTag) {
	if len(c.tags) >= maxContentTags {
		for other := range c.tags {
			delete(c.tags, other)
			break
		}
	}
	c.tags[id] = t
}

// hashContent reads the file and fails if it is not in the state id any more when it was read.
func hashContent(file *os.File, id identity) (string, error) {
	hash := sha256.New()
	if _, err := io.Copy(hash, io.NewSectionReader(file, 0, id.size)); err != nil {
		return "", err
	}
	info, err := file.Stat()
	if err != nil {
		return "", err
	}
	if identityOf(info) != id {
		return "", errors.New("it changed while its ETag was made")
	}
	return entityTag(hash.Sum(nil)), nil
}
