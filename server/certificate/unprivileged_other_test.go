//go:build !linux

package certificate

import (
	"os"
	"testing"
)

// unprivileged runs f with the file rights of an ordinary user.
func unprivileged(t *testing.T, f func()) {
	if os.Geteuid() == 0 {
		t.Skip("root may read and write everything, and cannot act as another user here")
	}
	f()
}
