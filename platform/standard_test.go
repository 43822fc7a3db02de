package platform

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// asChild says, in the environment of the test's own binary, which of children it is to be.
const asChild = "ROUSE_TEST_AS_CHILD"

// children do what cannot be done to the test's own descriptors and process; what they print is their result.
func children() map[string]func() {
	return map[string]func(){
		"move aside": moveAside,
		"cover":      cover,
		"pidfd id":   printPidfdID,
		"exec":       execOnce,
		"accept":     acceptAll,
	}
}

func TestMain(m *testing.M) {
	if run, ok := children()[os.Getenv(asChild)]; ok {
		run()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child runs one of children with the file as descriptor 0 and returns its output, which is its descriptor 3.
func child(t *testing.T, which string, stdin *os.File) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	output, err := os.Create(filepath.Join(t.TempDir(), "output"))
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	cmd := exec.CommandContext(ctx, executable)
	cmd.Env = []string{asChild + "=" + which, "GOCOVERDIR=" + t.TempDir()}
	cmd.Stdin, cmd.ExtraFiles = stdin, []*os.File{output}
	if problem, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", which, err, problem)
	}
	text, err := os.ReadFile(output.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func tell(format string, a ...any) { fmt.Fprintf(os.NewFile(3, "output"), format+"\n", a...) }

// moveAside moves descriptor 0 away and tells what is where.
func moveAside() {
	before, _ := Describe(0)
	moved, err := MoveAside(0)
	if err != nil {
		tell("%v", err)
		return
	}
	after, err := Describe(moved)
	flags, _ := unix.FcntlInt(uintptr(moved), unix.F_GETFD, 0)
	_, gone := Describe(0)
	tell("from 3 on: %t", moved >= 3)
	tell("the same socket: %t", err == nil && after == before && after.State == Listening)
	tell("close-on-exec: %t", flags&unix.FD_CLOEXEC != 0)
	tell("%v", gone)
	if _, err := unix.Write(0, []byte("swallowed")); err != nil {
		tell("%v", err)
	}
	if _, err := MoveAside(987); err != nil {
		tell("%v", err)
	}
}

// cover covers standard error and writes to it.
func cover() {
	null, err := os.Stat(os.DevNull)
	if err := Cover(2); err != nil {
		tell("%v", err)
	}
	info, statErr := os.Stderr.Stat()
	tell("null: %t", err == nil && statErr == nil && os.SameFile(null, info))
	_, writeErr := os.Stderr.WriteString("swallowed")
	tell("written: %t", writeErr == nil)
	flags, _ := unix.FcntlInt(2, unix.F_GETFD, 0)
	tell("for children too: %t", flags&unix.FD_CLOEXEC == 0)
	if err := Cover(-5); err != nil {
		tell("%v", err)
	}
}

// inetd's socket is moved off the standard descriptors whole: still listening, not inherited, and nothing can take its place.
func TestMoveAside(t *testing.T) {
	l := listen(t, "tcp", "127.0.0.1:0")
	f, err := l.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got := child(t, "move aside", f)
	for _, want := range []string{"from 3 on: true", "the same socket: true", "close-on-exec: true", "descriptor 0 is a character device", "duplicate descriptor 987: "} {
		if !strings.Contains(got, want) {
			t.Errorf("%q does not say %q", got, want)
		}
	}
	if strings.Count(got, "\n") != 5 {
		t.Errorf("the child says %q", got)
	}
}

// What a library prints to standard error after it was covered goes nowhere, without an error that could end the program.
func TestCover(t *testing.T) {
	got := child(t, "cover", nil)
	if !strings.HasPrefix(got, "null: true\nwritten: true\nfor children too: true\nput /dev/null over descriptor -5: ") {
		t.Errorf("the child says %q", got)
	}
}
