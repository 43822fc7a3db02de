package password

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/GehirnInc/crypt"
	"github.com/GehirnInc/crypt/apr1_crypt"
	"github.com/GehirnInc/crypt/sha256_crypt"
	"github.com/GehirnInc/crypt/sha512_crypt"
	"golang.org/x/crypto/bcrypt"
)

const (
	// bcryptBytes is how much of a password bcrypt takes in; two that differ behind it would be the same.
	bcryptBytes = 72
	// cryptBytes bounds what the crypt(3) kinds are given: their work grows with the square of its length
	// (CVE-2016-20013).
	cryptBytes = 512

	bcryptDearest = 17        // the most that htpasswd -C takes; each check lasts seconds
	cryptDearest  = 5_000_000 // rounds, seconds too
)

const accepted = "accepted are bcrypt ($2y$), sha512-crypt ($6$), sha256-crypt ($5$) and apr1 ($apr1$)"

// hash is what is kept of one password. Its form was checked, so that a check cannot fail for it.
type hash struct {
	line    string // as it was written
	matches func(password string) bool
}

// parseHash reads a hash. The error tells what is wrong with it and what is accepted, without showing it.
func parseHash(text string) (*hash, error) {
	switch kind(text) {
	case "$2a$", "$2b$", "$2y$":
		return parseBcrypt(text)
	case "$6$":
		return parseCrypt(text, "$6$", 86, sha512_crypt.New)
	case "$5$":
		return parseCrypt(text, "$5$", 43, sha256_crypt.New)
	case "$apr1$":
		return parseCrypt(text, "$apr1$", 22, apr1_crypt.New)
	case "":
		return nil, errors.New("what stands behind the colon is not a hash (a password in clear, perhaps, or a DES one): " + accepted)
	}
	return nil, fmt.Errorf("a hash of the kind %s is not accepted: %s", kind(text), accepted)
}

// kind is the mark that a hash begins with, as far as it is known to be one; else empty, lest a password be shown.
func kind(text string) string {
	for _, mark := range []string{"$2a$", "$2b$", "$2y$", "$2x$", "$2$", "$6$", "$5$", "$apr1$", "$1$", "$y$", "$7$", "$gy$",
		"$argon2i$", "$argon2d$", "$argon2id$", "$scrypt$", "$pbkdf2$", "{SHA}", "{SSHA}", "{PLAIN}"} {
		if strings.HasPrefix(text, mark) {
			return mark
		}
	}
	return ""
}

func parseBcrypt(text string) (*hash, error) {
	cost, err := bcrypt.Cost([]byte(text))
	if err != nil || len(text) != 60 || text[6] != '$' || !isBase64(text[7:]) {
		return nil, errors.New("the bcrypt hash is damaged: it is $2y$, two digits, $ and 53 letters")
	}
	if cost > bcryptDearest {
		return nil, fmt.Errorf("the bcrypt hash has the cost %d: each check would take minutes; at most %d is accepted", cost, bcryptDearest)
	}
	return &hash{text, func(password string) bool {
		short := password[:min(len(password), bcryptBytes)] // also hashed when it is too long: that takes as long as any
		right := bcrypt.CompareHashAndPassword([]byte(text), []byte(short)) == nil
		return right && len(password) <= bcryptBytes
	}}, nil
}

// parseCrypt reads a hash of the form MARK[rounds=N$]SALT$DIGEST (crypt(5)).
func parseCrypt(text, mark string, digits int, crypter func() crypt.Crypter) (*hash, error) {
	damaged := fmt.Errorf("the %s hash is damaged: it is %s, a salt, $ and %d letters", mark, mark, digits)
	end := strings.LastIndexByte(text, '$')
	if end < len(mark) || len(text)-end-1 != digits || !isBase64(text[end+1:]) {
		return nil, damaged
	}
	setting, digest, salt := text[:end], text[end+1:], text[len(mark):end]
	if rest, ok := strings.CutPrefix(salt, "rounds="); ok && mark != "$apr1$" {
		number, after, found := strings.Cut(rest, "$")
		rounds, err := strconv.ParseUint(number, 10, 32)
		if !found || err != nil || rounds < 1000 {
			return nil, damaged
		}
		if rounds > cryptDearest {
			return nil, fmt.Errorf("the %s hash has %d rounds: each check would take long; at most %d are accepted", mark, rounds, cryptDearest)
		}
		salt = after
	}
	if strings.Contains(salt, "$") {
		return nil, damaged
	}
	return &hash{text, func(password string) bool {
		short := password[:min(len(password), cryptBytes)]
		// Not Verify: it takes a part of the digest for salt when a short salt stands behind rounds=.
		made, err := crypter().Generate([]byte(short), []byte(setting))
		made = made[strings.LastIndexByte(made, '$')+1:]
		return err == nil && subtle.ConstantTimeCompare([]byte(made), []byte(digest)) == 1 && len(password) <= cryptBytes
	}}, nil
}

// isBase64 tells whether text is of crypt(3)'s alphabet, which bcrypt shares.
func isBase64(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool {
		return r != '.' && r != '/' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
}
