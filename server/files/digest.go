package files

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"sync"

	"github.com/rouse-server/rouse/server/compress"
)

// Variant is one state of a file in a content coding that was made on the fly: the key of what is kept of it.
type Variant struct {
	identity Identity
	coding   compress.Coding // "" is the file as it is
	level    compress.Level
	trimmed  bool // without white space around it, as the fallback page is sent
}

// The number of hashes that are kept; each takes about 250 bytes.
const maxSums = 4096

// sums are SHA-256 hashes of what is sent, made once per state of a file.
type sums struct {
	mu   sync.Mutex
	kept map[Variant]*sum
}

type sum struct {
	done  chan struct{} // closed when value and err are set
	value [sha256.Size]byte
	err   error
}

func newSums() *sums { return &sums{kept: make(map[Variant]*sum)} }

// ofFile returns the hash of a file as it is, which is read from its start and without moving its offset.
func (s *sums) ofFile(ctx context.Context, file *os.File, id Identity) ([sha256.Size]byte, error) {
	return s.of(ctx, Variant{identity: id}, func() ([sha256.Size]byte, error) { return hashFile(file, id) })
}

// of returns the hash of a variant. The first to ask makes it; who comes meanwhile waits for that, or for ctx to end.
func (s *sums) of(ctx context.Context, v Variant, hash func() ([sha256.Size]byte, error)) ([sha256.Size]byte, error) {
	s.mu.Lock()
	known, ok := s.kept[v]
	if !ok {
		known = &sum{done: make(chan struct{}), err: errors.New("its hash was not finished")}
		s.add(v, known)
	}
	s.mu.Unlock()
	if ok {
		select {
		case <-known.done: // also where ctx has ended
			return known.value, known.err
		default:
		}
		select {
		case <-known.done:
			return known.value, known.err
		case <-ctx.Done():
			return known.value, ctx.Err()
		}
	}
	defer s.finish(v, known)
	known.value, known.err = hash()
	return known.value, known.err
}

// finish lets those who wait have the hash, and forgets one that failed.
func (s *sums) finish(v Variant, made *sum) {
	if made.err != nil {
		s.mu.Lock()
		if s.kept[v] == made {
			delete(s.kept, v)
		}
		s.mu.Unlock()
	}
	close(made.done)
}

// add keeps a hash, in the place of any other one when there are too many.
func (s *sums) add(v Variant, made *sum) {
	if len(s.kept) >= maxSums {
		for other := range s.kept {
			delete(s.kept, other)
			break
		}
	}
	s.kept[v] = made
}

// hashFile reads the file and fails if it is not in the state id any more when it was read.
func hashFile(file *os.File, id Identity) (sum [sha256.Size]byte, err error) {
	hash := sha256.New()
	if _, err := io.Copy(hash, io.NewSectionReader(file, 0, id.size)); err != nil {
		return sum, err
	}
	hash.Sum(sum[:0])
	return sum, unchanged(file, id)
}

// unchanged fails if the file is not in the state id any more.
func unchanged(file *os.File, id Identity) error {
	info, err := file.Stat()
	if err == nil && identityOf(info) != id {
		err = errors.New("it changed while it was read")
	}
	return err
}

// reprDigest is the value of a Repr-Digest field (RFC 9530 §3): a dictionary with one byte sequence.
func reprDigest(sum [sha256.Size]byte) string {
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
}
