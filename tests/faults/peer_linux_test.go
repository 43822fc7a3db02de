package faults

import "testing"

func newPeer(t *testing.T) *victim { return nil }
