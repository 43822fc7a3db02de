//go:build !linux

package seccomp

import (
	"errors"
	"testing"
)

// Callers on other systems learn that there is no such thing.
func TestProbe(t *testing.T) {
	if _, err := Probe(Auto); !errors.Is(err, ErrUnsupported) {
		t.Errorf("Probe: %v", err)
	}
}
