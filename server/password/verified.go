package password

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// verifiedLife is how long a credential that nobody uses is remembered.
	verifiedLife = 10 * time.Minute
	// verifiedMost bounds their number: 16,384 take 2 MB.
	verifiedMost = 16 << 10
)

// identity stands for a user, the hash that the password was held against, and the password. Nothing can be learned from
// it without this process' key.
type identity [sha256.Size]byte

// verified remembers credentials that were right. Wrong ones it never sees, so that no client can fill it.
type verified struct {
	key func() []byte // made with the first password: most servers never see one

	begun time.Time // what is counted from: the time of day may jump

	mu   sync.RWMutex
	used map[identity]*atomic.Int64 // when last, in nanoseconds since begun
}

func newVerified() *verified {
	return &verified{begun: time.Now(), used: map[identity]*atomic.Int64{}, key: sync.OnceValue(func() []byte {
		key := make([]byte, sha256.Size)
		rand.Read(key) // cannot fail
		return key
	})}
}

// identify names a credential. Neither users nor hashes hold NUL, so that no two credentials have one name; a line of the
// file that has changed makes another one.
func (v *verified) identify(user, line, password string) (id identity) {
	mac := hmac.New(sha256.New, v.key())
	for _, part := range []string{user, "\x00", line, "\x00", password} {
		io.WriteString(mac, part)
	}
	mac.Sum(id[:0])
	return id
}

// has tells whether the credential was right within the last ten minutes, which begin anew with that.
func (v *verified) has(id identity, now time.Time) bool {
	v.mu.RLock()
	used := v.used[id]
	v.mu.RUnlock()
	if used == nil || int64(now.Sub(v.begun))-used.Load() > int64(verifiedLife) {
		return false
	}
	used.Store(int64(now.Sub(v.begun)))
	return true
}

func (v *verified) add(id identity, now time.Time) {
	used := &atomic.Int64{}
	used.Store(int64(now.Sub(v.begun)))
	v.mu.Lock()
	defer v.mu.Unlock()
	v.used[id] = used
	if len(v.used) > verifiedMost {
		v.shrink(now)
	}
}

// shrink forgets what has not been used for long, and at least the one that has not for longest.
func (v *verified) shrink(now time.Time) {
	var oldest identity
	least := int64(now.Sub(v.begun)) + 1
	for id, used := range v.used {
		at := used.Load()
		if int64(now.Sub(v.begun))-at > int64(verifiedLife) {
			delete(v.used, id)
		} else if at < least {
			oldest, least = id, at
		}
	}
	if len(v.used) > verifiedMost {
		delete(v.used, oldest)
	}
}
