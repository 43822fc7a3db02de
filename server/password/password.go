// Package password tells whether a client's user name and password are right: users from USER:HASH or an htpasswd file,
// hashing that clients cannot make the server's only work, and guessing that is slow.
package password

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// maxFile bounds an htpasswd file: room for more than 200,000 users.
const maxFile = 16 << 20

// Users are those who may come in. They do not change: a reload makes new ones.
type Users struct {
	hashes map[string]*hash
	listed []*hash // in the order of the file
	secret []byte  // chooses the stand-in; known to whoever knows the hashes
}

// Open reads users from value, which is USER:HASH, and from an htpasswd file; either may be empty. It returns nil, and no
// error, when both are. An error names the file and line, or the user, and never a hash.
func Open(value, file string) (*Users, error) {
	if value == "" && file == "" {
		return nil, nil
	}
	u := &Users{hashes: map[string]*hash{}}
	if value != "" {
		if err := u.add(value, ""); err != nil {
			return nil, err
		}
	}
	if file != "" {
		text, err := read(file)
		if err != nil {
			return nil, err
		}
		if err := u.parse(file, text); err != nil {
			return nil, err
		}
	}
	secret := sha256.New()
	for _, h := range u.listed {
		fmt.Fprintln(secret, h.line)
	}
	u.secret = secret.Sum(nil)
	return u, nil
}

// Len is how many users there are.
func (u *Users) Len() int { return len(u.listed) }

func read(file string) ([]byte, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a FIFO without a writer must not hold the start
	if err != nil {
		return nil, fmt.Errorf("open the password file %s: %w", file, cause(err))
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("read the password file %s: it is not a regular file", file)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read the password file %s: %w", file, cause(err))
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("read the password file %s: it is larger than %d MiB", file, maxFile>>20)
	}
	return text, nil
}

// cause is an error without the path, which the message names already.
func cause(err error) error {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		return at.Err
	}
	return err
}

// parse reads an htpasswd file: a USER:HASH on each line, empty lines and comments (#) between them.
func (u *Users) parse(file string, text []byte) error {
	before := len(u.listed)
	text = bytes.TrimPrefix(text, []byte("\uFEFF"))
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := u.add(line, file); err != nil {
			return fmt.Errorf("%s:%d: %w", file, number, err)
		}
	}
	if len(u.listed) == before {
		return fmt.Errorf("the password file %s names no user, so that nobody could come in; add one with: htpasswd -B %s USER", file, file)
	}
	return nil
}

// add takes one USER:HASH. What stands behind a second colon is left out, as Apache and nginx do.
func (u *Users) add(line, file string) error {
	user, text, ok := strings.Cut(line, ":")
	switch {
	case !ok:
		return errors.New("there is no colon: wanted is USER:HASH, as htpasswd -nB USER prints it")
	case user == "":
		return errors.New("there is no user in front of the colon: wanted is USER:HASH, as htpasswd -nB USER prints it")
	case strings.ContainsFunc(user, func(r rune) bool { return r < ' ' || r == 0x7F }): // RFC 7617 §2
		return fmt.Errorf("user %q: a name has no control characters", user)
	case u.hashes[user] != nil:
		return fmt.Errorf("user %q was named before: leave one of the two out", user)
	}
	text, _, _ = strings.Cut(text, ":")
	h, err := parseHash(strings.TrimSpace(text))
	if err != nil {
		command := "htpasswd -nB " + user
		if file != "" {
			command = "htpasswd -B " + file + " " + user
		}
		return fmt.Errorf("user %q: %w; make one with: %s", user, err, command)
	}
	u.hashes[user] = h
	u.listed = append(u.listed, h)
	return nil
}

// find returns the user's hash. For a user who is not there it is the hash of one who is, the same one each time: a name
// takes as long to refuse as any other, also where the file mixes kinds and costs, and tells nothing by that.
func (u *Users) find(user string) (h *hash, known bool) {
	if h := u.hashes[user]; h != nil {
		return h, true
	}
	mac := hmac.New(sha256.New, u.secret)
	io.WriteString(mac, user)
	return u.listed[binary.BigEndian.Uint64(mac.Sum(nil))%uint64(len(u.listed))], false
}
