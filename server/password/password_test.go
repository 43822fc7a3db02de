package password

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

// Hashes of "pass wörd", made by openssl passwd, and by crypt(3) of libxcrypt for bcrypt.
const (
	clear      = "pass wörd"
	bcrypt2y   = "$2y$04$abcdefghijklmnopqrstuubAecMWGbmQxiv.1AEZk7PUTbAqyEGMO"
	sha512     = "$6$saltstr$IUU7TcBQEhd3zNxcz8ycno.aoir2WivjNFrjx3aLBN9QfbBJm7JFmf7tb2MzLT8sud/3fgu/Lm5u7M94r.UlP."
	sha512rare = "$6$rounds=1000$abc$lFnyphKitTqhBwgUyYas6LCVEm/MnqlWmoFY0O7qHLf13ndyZ/.NEouRRFISVkSCcZnHYFj7OFMn9d7oRngSE."
	sha256str  = "$5$saltstr$Dc2ZeTegHLKtBgoUAUJxzeATfHeYI91KWjJTWSSPEW5"
	sha256rare = "$5$rounds=1000$abcdefghijklmnop$xTPrJhaXdZ4Bkjmq4gC8TKorgTYh16zbeO9iRxR9i7/"
	apr1       = "$apr1$saltstr$jsPEQ/7p3mBPSfWwVbJ/o/"
)

func TestHashes(t *testing.T) {
	t.Parallel()
	for _, line := range []string{bcrypt2y, strings.Replace(bcrypt2y, "$2y$", "$2b$", 1), strings.Replace(bcrypt2y, "$2y$", "$2a$", 1),
		sha512, sha512rare, sha256str, sha256rare, apr1} {
		h, err := parseHash(line)
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		for password, want := range map[string]bool{clear: true, "": false, "pass word": false, clear + " ": false, clear + "\x00": false} {
			if got := h.matches(password); got != want {
				t.Errorf("%s, %q: %v", line, password, got)
			}
		}
	}
}

// What is behind the part that a kind takes in must not be left out of account.
func TestLongPasswordsAreWrong(t *testing.T) {
	t.Parallel()
	made, err := bcrypt.GenerateFromPassword([]byte(strings.Repeat("a", 72)), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	at72, err := parseHash(string(made))
	if err != nil || !at72.matches(strings.Repeat("a", 72)) {
		t.Fatal("72 bytes do not match", err)
	}
	if at72.matches(strings.Repeat("a", 73)) || at72.matches(strings.Repeat("a", 1<<20)) {
		t.Error("more than 72 bytes match")
	}
	long, err := parseHash(apr1)
	if err != nil {
		t.Fatal(err)
	}
	if long.matches(strings.Repeat("a", 60<<10)) { // would take long if it were hashed whole
		t.Error("matches")
	}
}

func TestHashesThatAreNotAccepted(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"secret":                                   "not a hash",
		"":                                         "not a hash",
		"rqXexS6ZhobKA":                            "not a hash",
		"{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=":        "kind {SHA}",
		"{SSHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=":       "kind {SSHA}",
		"$1$salt$aaaaaaaaaaaaaaaaaaaaaa":           "kind $1$",
		"$y$j9T$salt$hash":                         "kind $y$",
		"$argon2id$v=19$m=65536$hash":              "kind $argon2id$",
		strings.Replace(bcrypt2y, "y", "x", 1):     "kind $2x$",
		bcrypt2y[:59]:                              "damaged",
		bcrypt2y + "x":                             "damaged",
		strings.Replace(bcrypt2y, "04", "99", 1):   "damaged",
		strings.Replace(bcrypt2y, "abc", "a%c", 1): "damaged",
		strings.Replace(bcrypt2y, "04", "18", 1):   "the cost 18",
		sha512[:80]:                                "damaged",
		sha512 + "x":                               "damaged",
		"$6$" + "salt":                             "damaged",
		"$5$" + "rounds=1000" + sha256str[10:]:     "damaged",
		strings.Replace(sha512rare, "rounds=1000", "rounds=10", 1): "damaged",
		strings.Replace(sha512rare, "1000", "999999999", 1):        "999999999 rounds",
		strings.Replace(sha512rare, "abc", "a$c", 1):               "damaged",
		apr1[:20]: "damaged",
	} {
		_, err := parseHash(line)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", line, err, want)
		} else if len(line) > 20 && strings.Contains(err.Error(), line[len(line)-15:]) || line == "secret" && strings.Contains(err.Error(), line) {
			t.Errorf("%q is shown by: %v", line, err)
		}
	}
}

func file(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "htpasswd")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpen(t *testing.T) {
	t.Parallel()
	path := file(t, "\uFEFF# ours\r\n\nbob:"+bcrypt2y+"\r\n  al:"+apr1+":the boss\nzoë:"+sha512)
	u, err := Open("eve:"+sha256str, path)
	if err != nil {
		t.Fatal(err)
	}
	if u.Len() != 4 {
		t.Errorf("%d users", u.Len())
	}
	for user, line := range map[string]string{"bob": bcrypt2y, "al": apr1, "zoë": sha512, "eve": sha256str} {
		if h, known := u.find(user); !known || h.line != line {
			t.Errorf("%s: %v", user, known)
		}
	}
	if u, err := Open("", ""); u != nil || err != nil {
		t.Errorf("nothing: %v, %v", u, err)
	}
}

func TestOpenErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                      "names no user",
		"# nobody\n":                            "names no user",
		"bob:" + bcrypt2y + "\n\nal":            ":3: there is no colon",
		":" + bcrypt2y:                          ":1: there is no user in front",
		"bob:" + apr1 + "\nbob:" + bcrypt2y:     `:2: user "bob" was named before`,
		"bo\x00b:" + apr1:                       "control characters",
		"bob:hunter2\n":                         `:1: user "bob": what stands behind the colon is not a hash`,
		"bob:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=": "$2y$",
		strings.Repeat("#\n", maxFile/2) + "#":  "larger than 16 MiB",
	} {
		path := file(t, text)
		_, err := Open("", path)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		} else if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "W6ph") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.40q: %v", text, err)
		}
	}
	if _, err := Open("", filepath.Join(t.TempDir(), "none")); err == nil || !strings.Contains(err.Error(), "none: no such file") {
		t.Error(err)
	}
	if _, err := Open("", t.TempDir()); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Error(err)
	}
	if _, err := Open("secret", ""); err == nil || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
}

// A name that is not there is refused with the work that a name of the file causes, always the same one.
func TestStandIn(t *testing.T) {
	t.Parallel()
	u, err := Open("", file(t, "bob:"+bcrypt2y+"\nal:"+apr1))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, name := range strings.Fields("a b c d e f g h i j k l m n o p q r s t u v w x y z") {
		h, known := u.find(name)
		again, _ := u.find(name)
		if known || h != again {
			t.Errorf("%s: %v", name, known)
		}
		seen[h.line]++
	}
	if len(seen) != 2 {
		t.Errorf("of the file's hashes these stand in: %v", seen)
	}
}

func FuzzOpen(f *testing.F) {
	for _, seed := range []string{"bob:" + bcrypt2y, "# x\nal:" + apr1, "z:" + sha512rare + "\r\n", "x:{SHA}y", "a:b:c", "$6$rounds=1000$$", "a:$5$rounds=$"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u := &Users{hashes: map[string]*hash{}}
		if err := u.parse("f", []byte(text)); err == nil && (len(u.listed) == 0 || len(u.listed) != len(u.hashes)) {
			t.Errorf("%q: %d users", text, len(u.listed))
		} else if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v", text, err)
		}
	})
}
