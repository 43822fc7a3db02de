package main

import (
	"bufio"
	"os"
	"strings"
	"testing"
)

// Who writes the log of `rouse run` never waits for its reader; what was lost meanwhile is told.
func TestUnblocked(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	defer write.Close()
	w, line := withoutWaiting(write), []byte(strings.Repeat("x", 99)+"\n")
	for range 10_000 { // far more than a pipe holds
		if n, err := w.Write(line); n != len(line) || err != nil {
			t.Fatal(n, err)
		}
	}
	lines := bufio.NewReader(read)
	for range 100 {
		if got, err := lines.ReadString('\n'); err != nil || got != string(line) {
			t.Fatalf("%q, %v", got, err)
		}
	}
	if _, err := w.Write([]byte("the last\n")); err != nil {
		t.Fatal(err)
	}
	write.Close()
	rest := ""
	for {
		got, err := lines.ReadString('\n')
		if err != nil {
			break
		}
		if got != string(line) {
			rest += got
		}
	}
	if !strings.HasPrefix(rest, "rouse: ") || !strings.HasSuffix(rest, " lines of the log were lost: nobody read standard error\nthe last\n") {
		t.Errorf("%q", rest)
	}
}
