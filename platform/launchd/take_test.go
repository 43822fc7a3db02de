package launchd

import (
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// answer is what a plain Go function in place of launch_activate_socket gives.
type answer struct {
	errno syscall.Errno
	array []int32
	count uintptr
}

// calls gives the two functions and counts how they are used.
func (a answer) calls(t *testing.T, activated, freed *int) calls {
	first := unsafe.SliceData(a.array)
	return calls{
		activate: func(name *byte, array **int32, count *uintptr) syscall.Errno {
			*activated++
			if got := unix.BytePtrToString(name); got != "web" {
				t.Errorf("launchd was asked for %q", got)
			}
			*array, *count = first, a.count
			return a.errno
		},
		free: func(array *int32) {
			*freed++
			if array != first {
				t.Errorf("freed %p, the array is at %p", array, first)
			}
		},
	}
}

// openPipe gives a pipe without close-on-exec, which is how launchd gives descriptors, and closes what it gave at the end.
func openPipe(t *testing.T) (reader, writer int) {
	t.Helper()
	var p [2]int
	if err := unix.Pipe(p[:]); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(p[0]) })
	if err := unix.SetNonblock(p[0], true); err != nil {
		t.Fatal(err)
	}
	return p[0], p[1]
}

// closedAtOtherEnd tells whether nobody holds the writer of this pipe any more.
func closedAtOtherEnd(reader int) bool {
	n, err := unix.Read(reader, make([]byte, 1))
	return n == 0 && err == nil
}

func closeOnExec(t *testing.T, fd int) bool {
	t.Helper()
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	if err != nil {
		t.Fatalf("descriptor %d: %v", fd, err)
	}
	return flags&unix.FD_CLOEXEC != 0
}

func TestTakeSeveralDescriptorsWithZero(t *testing.T) {
	// Descriptor 0 is as good as any other; here it is standard input, which gets its flags back.
	flags, err := unix.FcntlInt(0, unix.F_GETFD, 0)
	if err != nil {
		t.Skipf("descriptor 0 is not open: %v", err)
	}
	if _, err := unix.FcntlInt(0, unix.F_SETFD, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.FcntlInt(0, unix.F_SETFD, flags) })
	_, first := openPipe(t)
	_, second := openPipe(t)
	defer unix.Close(first)
	defer unix.Close(second)

	var activated, freed int
	array := []int32{int32(first), 0, int32(second), 12345} // one more than counted
	got, err := take(answer{array: array, count: 3}.calls(t, &activated, &freed), "web")
	if err != nil {
		t.Fatal(err)
	}
	if want := []int{first, 0, second}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, fd := range got {
		if !closeOnExec(t, fd) {
			t.Errorf("descriptor %d would be inherited by children", fd)
		}
	}
	if activated != 1 || freed != 1 {
		t.Errorf("activated %d times, freed %d times", activated, freed)
	}
	clear(array)
	if got[0] != first {
		t.Error("the result lives in C's array")
	}
}

func TestTakeRefused(t *testing.T) {
	cases := []struct {
		errno  syscall.Errno
		advice string
	}{
		{syscall.ENOENT, `no socket named "web" for this job: name it under Sockets in the property list, or say launchd:NAME`},
		{syscall.ESRCH, "let launchd start the program"},
		{syscall.EALREADY, "use it in one address only"},
		{syscall.EINVAL, "use a key of Sockets"},
		{syscall.EPERM, "launchctl print"},
	}
	for _, c := range cases {
		t.Run(unix.ErrnoName(c.errno), func(t *testing.T) {
			var activated, freed int
			got, err := take(answer{errno: c.errno}.calls(t, &activated, &freed), "web")
			if got != nil || !errors.Is(err, c.errno) {
				t.Fatalf("got %v, error %v", got, err)
			}
			checkMessage(t, err, c.advice)
			if activated != 1 || freed != 0 {
				t.Errorf("activated %d times, freed %d times", activated, freed)
			}
		})
	}
}

func TestTakeNameWithNUL(t *testing.T) {
	var activated, freed int
	_, err := take(answer{}.calls(t, &activated, &freed), "web\x00\n")
	if !errors.Is(err, syscall.EINVAL) {
		t.Errorf("error %v does not wrap EINVAL", err)
	}
	checkMessage(t, err, `"web\x00\n"`)
	if activated != 0 || freed != 0 {
		t.Errorf("activated %d times, freed %d times", activated, freed)
	}
}

func TestTakeUnusableAnswer(t *testing.T) {
	cases := map[string]struct {
		answer answer
		advice string
		freed  int
	}{
		"empty":               {answer{array: []int32{-1}}, "SockServiceName", 1},
		"empty without array": {answer{}, "SockServiceName", 0},
		"no array":            {answer{count: 2}, "array missing: true", 0},
		"absurd count":        {answer{array: []int32{-1}, count: maxSockets + 1}, "4097 descriptors", 1},
		"largest count":       {answer{array: []int32{-1}, count: ^uintptr(0)}, "descriptors", 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var activated, freed int
			got, err := take(c.answer.calls(t, &activated, &freed), "web")
			if got != nil || err == nil {
				t.Fatalf("got %v, error %v", got, err)
			}
			checkMessage(t, err, c.advice)
			if activated != 1 || freed != c.freed {
				t.Errorf("activated %d times, freed %d times, want %d", activated, freed, c.freed)
			}
		})
	}
}

// A descriptor that is not open makes the whole answer fail, and none of the good ones may stay open.
func TestTakeClosesAllOnError(t *testing.T) {
	for name, bad := range map[string]int32{"negative": -1, "not open": 1 << 20} {
		t.Run(name, func(t *testing.T) {
			firstReader, first := openPipe(t)
			secondReader, second := openPipe(t)
			if closedAtOtherEnd(firstReader) || closedAtOtherEnd(secondReader) {
				t.Fatal("the pipe is closed before the test")
			}
			var activated, freed int
			array := []int32{int32(first), bad, int32(second)}
			got, err := take(answer{array: array, count: 3}.calls(t, &activated, &freed), "web")
			if got != nil || !errors.Is(err, syscall.EBADF) {
				t.Fatalf("got %v, error %v", got, err)
			}
			checkMessage(t, err, "launchctl bootout")
			if !closedAtOtherEnd(firstReader) || !closedAtOtherEnd(secondReader) {
				t.Error("a descriptor stayed open")
			}
			if activated != 1 || freed != 1 {
				t.Errorf("activated %d times, freed %d times", activated, freed)
			}
		})
	}
}

// checkMessage wants one line that names launchd and gives the advice.
func checkMessage(t *testing.T, err error, advice string) {
	t.Helper()
	message := err.Error()
	if strings.Contains(message, "\n") || !strings.Contains(message, "launchd") || !strings.Contains(message, advice) {
		t.Errorf("message %q should be one line about launchd with %q", message, advice)
	}
}
