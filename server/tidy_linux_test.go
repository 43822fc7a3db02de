package server

import (
	"os"
	"testing"
)

// What is given up comes back: the program goes on, whatever of it is used next.
func TestTidy(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if len(unwritten(program)) == 0 {
		t.Error("no part of the program was found")
	}
	tidy()
}
