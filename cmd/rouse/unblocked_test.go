package main

import (
	"bufio"
	"os"
	"path/filepath"
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
	if !strings.HasPrefix(rest, "rouse: ") || !strings.HasSuffix(rest, " lines of the log were lost: nobody read standard error, or its disk was full\nthe last\n") {
		t.Errorf("%q", rest)
	}
}

// What a full disk did not take is told once it takes lines again, on a line of its own.
func TestUnblockedOnFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	u := withoutWaiting(full).(*unblocked)
	for range 3 {
		u.Write([]byte("lost\n"))
	}
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	file.WriteString("begun, and no mo")
	u.to, u.half = file, true
	u.Write([]byte("the last\n"))
	const want = "begun, and no mo\nrouse: 3 lines of the log were lost: nobody read standard error, or its disk was full\nthe last\n"
	if got, err := os.ReadFile(file.Name()); err != nil || string(got) != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
}
