package systemd

import (
	"os"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

// Without this passwords would have to be readable by everybody, as the service's user exists only while it runs.
func TestPasswordFileIsACredential(t *testing.T) {
	needsSystemd(t)
	const path = "/etc/rouse/htpasswd"
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("ann:"+string(hash)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(path) })
	shipped(t, "[Service]\nLoadCredential=htpasswd:"+path+"\n")
	for want, args := range map[string][]string{"200 2": {"-u", "ann:secret", httpsURL}, "401 2": {httpsURL}} {
		if got := curl(t, args...); got != want {
			t.Errorf("curl %v: %s, want %s", args, got, want)
		}
	}
}
