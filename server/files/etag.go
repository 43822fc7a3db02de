package files

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/rouse-server/rouse/server/compress"
	"github.com/rouse-server/rouse/server/reply"
)

// Tag is how ETags are made.
type Tag int

const (
	State   Tag = iota // from size, times and inode: costs nothing
	Content            // from what a file contains: the same on every machine; takes one reading of each file
	None               // there are none
)

// Identity tells one state of one file from all others on this machine: it changes when the file
// is replaced, written to or renamed over.
type Identity struct {
	device, inode     uint64
	size              int64
	modified, changed syscall.Timespec
}

func identityOf(info os.FileInfo) Identity {
	return identity(info.Sys().(*syscall.Stat_t)) // package os puts it there on every Unix
}

func identity(stat *syscall.Stat_t) Identity {
	id := Identity{device: uint64(stat.Dev), inode: stat.Ino, size: stat.Size}
	id.modified, id.changed = times(stat)
	return id
}

// tag is a strong ETag made from size, times and inode. They go through a hash, so that the inode
// is not told. The device is left out: its number may change with each mount.
func (id Identity) tag() string {
	state := make([]byte, 0, 48)
	for _, n := range []int64{id.size, id.modified.Sec, id.modified.Nsec, id.changed.Sec, id.changed.Nsec, int64(id.inode)} {
		state = binary.LittleEndian.AppendUint64(state, uint64(n))
	}
	return entityTag(sha256.Sum256(state))
}

// entityTag quotes the first 128 bits of a hash as RFC 9110 §8.8.3 wants it.
func entityTag(sum [sha256.Size]byte) string {
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

// tag is the ETag of a file as it is, or "". A reply through w that lacks it only this time is not kept.
func (h *handler) tag(ctx context.Context, w http.ResponseWriter, f found) string {
	switch {
	case h.Tag == None:
		return ""
	case h.Tag == State && !hasNoTime(f.info.ModTime()):
		return identityOf(f.info).tag()
	}
	sum, err := h.sums.ofFile(ctx, f.file, identityOf(f.info))
	if err != nil {
		reply.Forbid(w)
		if ctx.Err() == nil {
			h.Log.WarnContext(ctx, "serving a file without ETag", "file", f.name, "error", err)
		}
		return ""
	}
	return entityTag(sum)
}

// encodedTag is the ETag of a file in a coding made on the fly: each representation has its own (RFC 9110 §8.8.3).
func encodedTag(tag string, c compress.Coding) string {
	if tag == "" {
		return ""
	}
	return tag[:len(tag)-1] + "-" + string(c) + `"`
}

// listed reports whether one of our tags is in the lines of an If-None-Match field; "W/" before it does not matter there
// (RFC 9110 §13.1.2). Our tags have no commas in them, so the text between two others is never one.
func listed(fields []string, tag string) bool {
	for _, field := range fields {
		if tag != "" && strings.Contains(field, tag) {
			return true
		}
	}
	return false
}
