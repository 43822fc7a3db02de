package main

import (
	"strings"
	"testing"
)

// A program that lies ready in a folder of everybody's is not run.
func TestNfpmIsNotTakenFromTmp(t *testing.T) {
	t.Setenv("HOME", "")
	t.Setenv("XDG_CACHE_HOME", "")
	if path, err := nfpmTool(t.Context(), "../.."); err == nil || !strings.Contains(err.Error(), "set HOME") {
		t.Errorf("%q, %v", path, err)
	}
}
