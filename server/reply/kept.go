package reply

import (
	"math/bits"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"
)

// kept is what a cache knows of a reply.
type kept struct {
	// What Find looks at comes first, to be near in memory.
	scope    Scope
	head     bool
	depends  uint8        // the Fields that it depends on, a bit for each
	used     atomic.Bool  // since the hand of the queue has last come by
	target   string       //
	values   string       // of those fields, each behind its length and 1, or 0 when there is none, in two bytes
	checked  atomic.Int64 // when the reply was last found to hold, a time.Duration
	checking atomic.Int64 // since when somebody asks it now, and 1; 0: nobody does
	asked    atomic.Int64 // as checked; that is also when holds was asked instead
	holds    func() bool  // tells whether the body's source is as it was; nil: the chain alone can tell
	sibling  *Reply       // another one with the same key, guarded by the shard

	key          uint64 // the Request's
	variant      any
	size         int64  // in memory, in bytes
	newer, older *Reply // in the queue, and guarded by its mutex
	queued       bool   // it is there
}

// A request field that is longer than this many bytes keeps a reply that depends on it from being kept.
const longestValue = 256

// conditions are the fields that make a request conditional (RFC 9110 §13.1).
const conditions = 1<<IfNoneMatch | 1<<IfModifiedSince

// condition is the bit of the field that makes r conditional, 0 if none does.
func (r *Request) condition() uint8 {
	switch {
	case len(r.Fields[IfNoneMatch]) > 0: // an empty one is none for net/http
		return 1 << IfNoneMatch
	case r.Fields[IfModifiedSince] != nil:
		return 1 << IfModifiedSince
	}
	return 0
}

// answers tells whether the reply is one to r.
func (k *kept) answers(r *Request, host string) bool {
	if k.scope != r.Scope || k.head != r.Head || k.depends&conditions != r.condition() || string(r.Target) != k.target || string(r.Host) != host {
		return false
	}
	values := k.values
	for left := k.depends; left != 0; left &= left - 1 {
		value := r.value(Field(bits.TrailingZeros8(left)))
		length := int(values[0])<<8 | int(values[1])
		values = values[2:]
		if length == 0 {
			if value != nil {
				return false
			}
			continue
		}
		length--
		if value == nil || string(value) != values[:length] {
			return false
		}
		values = values[length:]
	}
	return true
}

// sameResource tells whether two replies with the same key differ in no more than the fields of their requests.
func sameResource(a, b *Reply) bool {
	return a.scope == b.scope && a.head == b.head && a.target == b.target && a.Host == b.Host
}

// newKept is what is known of a new reply to r, whose Host it sets. One piece of memory has all its texts.
func newKept(r *Request, made *Reply, depends uint8, variant any) kept {
	var short [1024]byte
	b := append(append(short[:0], r.Host...), r.Target...)
	for left := depends; left != 0; left &= left - 1 {
		value := r.value(Field(bits.TrailingZeros8(left)))
		length := len(value) + 1
		if value == nil {
			length = 0
		}
		b = append(b, byte(length>>8), byte(length))
		b = append(b, value...)
	}
	text := string(b)
	made.Host = text[:len(r.Host)]
	target := text[len(r.Host):][:len(r.Target)]
	values := text[len(r.Host)+len(r.Target):]
	size := overhead + sizeOf(len(text)) + sizeOf(len(made.Head)+len(made.Tail)) + sizeOf(cap(made.Body))
	if variant != nil {
		size += sizeOf(sizeOfVariant)
	}
	return kept{
		key: r.key, scope: r.Scope, head: r.Head, depends: depends, target: target, values: values, variant: variant, size: size,
	}
}

// overhead is what a kept reply costs beside its bytes: itself, and its place in the shard's map.
const overhead = int64(unsafe.Sizeof(Reply{})) + 64

// sizeOfVariant is how long a variant is, in bytes, as far as anybody knows: that of a file.
const sizeOfVariant = 96

// sizeOfSource is what a function for Source takes, in bytes, with what it knows.
const sizeOfSource = 320

// sizeOf is how much memory a piece of n bytes takes: the allocator rounds up, by an eighth at most (runtime/sizeclasses.go).
func sizeOf(n int) int64 { return int64(n + n/8 + 16) }

// keepable tells whether a marked reply may be sent again, and what it depends on.
func (w *Recording) keepable(status int, header http.Header) (depends uint8, ok bool) {
	switch status {
	case http.StatusOK, http.StatusMovedPermanently, http.StatusNotModified, http.StatusPermanentRedirect, http.StatusNotFound:
	default:
		return 0, false
	}
	if header["Set-Cookie"] != nil || header["Date"] != nil || header["Connection"] != nil || personal(header["Cache-Control"]) {
		return 0, false
	}
	if depends, ok = varies(header["Vary"]); !ok {
		return 0, false
	}
	if condition := w.request.condition(); condition != 0 {
		if status != http.StatusNotModified || !w.request.names(condition, header) {
			return 0, false
		}
		depends |= condition
	}
	for f := range fields {
		if depends&(1<<f) != 0 && len(w.request.value(f)) > longestValue {
			return 0, false
		}
	}
	return depends, true
}

// names tells whether the condition names the very state of the reply. Others that have the same result are too many to keep.
func (r *Request) names(condition uint8, header http.Header) bool {
	if condition == 1<<IfNoneMatch {
		tag := header.Get("Etag")
		return tag != "" && string(r.Fields[IfNoneMatch]) == tag
	}
	date := header.Get("Last-Modified")
	return date != "" && string(r.Fields[IfModifiedSince]) == date
}

// varies reads a Vary field (RFC 9110 §12.5.5). It is false for what is not a Field, or makes a request conditional.
func varies(lines []string) (depends uint8, ok bool) {
	for _, line := range lines {
		for element := range strings.SplitSeq(line, ",") {
			switch element = strings.TrimSpace(element); {
			case element == "":
			case strings.EqualFold(element, "accept-encoding"):
				depends |= 1 << AcceptEncoding
			case strings.EqualFold(element, "accept"):
				depends |= 1 << Accept
			case strings.EqualFold(element, "origin"):
				depends |= 1 << Origin
			case strings.EqualFold(element, "sec-fetch-mode"):
				depends |= 1 << SecFetchMode
			default:
				return 0, false
			}
		}
	}
	return depends, true
}

// personal tells whether a Cache-Control field keeps a reply from all caches, or from shared ones (RFC 9111 §5.2.2).
func personal(lines []string) bool {
	for _, line := range lines {
		for directive := range strings.SplitSeq(line, ",") {
			name, _, _ := strings.Cut(strings.TrimSpace(directive), "=")
			if strings.EqualFold(name, "private") || strings.EqualFold(name, "no-store") {
				return true
			}
		}
	}
	return false
}

// age is how long ago the chain was asked.
func (k *kept) age(now time.Duration) time.Duration { return now - time.Duration(k.checked.Load()) }
