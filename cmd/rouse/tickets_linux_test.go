package main

import (
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/rouse-server/rouse/activation"
)

// A key that the manager has not taken is not used: the next process would not know it. Without a store crypto/tls makes its own.
func TestTicketKeysAreStoredFirst(t *testing.T) {
	path := filepath.Join(t.TempDir(), "n")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: path})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	for _, c := range []struct {
		most string
		keys int
	}{{"0", 0}, {"8", 1}} {
		t.Setenv("FDSTORE", c.most)
		keys := takeTicketKeys(activation.NewOpener().Store)
		now := time.Now()
		if err := keys.renew(now); err != nil || len(keys.keys.Secrets()) != c.keys {
			t.Errorf("FDSTORE=%s: %d keys, %v", c.most, len(keys.keys.Secrets()), err)
		}
		if c.keys == 0 {
			continue
		}
		first := keys.name
		if err := keys.renew(now.Add(23 * time.Hour)); err != nil || keys.name != first {
			t.Errorf("a new key was made before its time: %v", err)
		}
		if err := keys.renew(now.Add(24 * time.Hour)); err != nil || keys.name == first || len(keys.keys.Secrets()) != 2 {
			t.Errorf("after a day: %d keys, %v", len(keys.keys.Secrets()), err)
		}
		t.Setenv("NOTIFY_SOCKET", path+"-gone")
		if err := keys.renew(now.Add(72 * time.Hour)); err == nil || len(keys.keys.Secrets()) != 2 {
			t.Errorf("a key that the manager has not got is used: %d keys, %v", len(keys.keys.Secrets()), err)
		}
	}
}
