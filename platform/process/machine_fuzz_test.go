package process

import (
	"strings"
	"testing"
)

// FuzzMachine reads the head of a program that somebody named: what is no ELF program is no error, and an error names the program.
func FuzzMachine(f *testing.F) {
	f.Add([]byte("\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x3e\x00"))
	f.Add([]byte("\x7fELF\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x03\x00"))
	f.Add([]byte("\x7fELF\x02\x02\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\xb7"))
	f.Add([]byte("#!/bin/sh\n"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, head []byte) {
		err := machine("/bin/x", head)
		if err != nil && (!strings.HasPrefix(string(head), "\x7fELF") || !strings.HasPrefix(err.Error(), "/bin/x is ")) {
			t.Errorf("%q: %v", head, err)
		}
	})
}
