//go:build linux && (amd64 || arm64)

package launchd

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/ebitengine/purego"
)

// fakeLaunchd is testdata/fakelaunch.c, compiled and loaded: the conversion then meets real C memory and a real C
// caller, which plain Go functions cannot show.
type fakeLaunchd struct {
	calls      calls
	start      func(isJob bool, during uintptr)
	offer      func(name string, fd int32) int32
	freeErrors func() int32
}

func loadFakeLaunchd(t *testing.T) *fakeLaunchd {
	t.Helper()
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("no gcc here to compile testdata/fakelaunch.c")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	library := filepath.Join(t.TempDir(), "libfakelaunch.so")
	compile := exec.CommandContext(ctx, gcc, "-Wall", "-Werror", "-shared", "-fPIC", "-o", library,
		filepath.Join("testdata", "fakelaunch.c"))
	if output, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("compile the fake library: %v\n%s", err, output)
	}
	handle, err := purego.Dlopen(library, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { purego.Dlclose(handle) })

	fake := new(fakeLaunchd)
	var activate func(name *byte, array **int32, count *uintptr) int32
	purego.RegisterLibFunc(&activate, handle, "launch_activate_socket")
	purego.RegisterLibFunc(&fake.calls.free, handle, "fake_free")
	purego.RegisterLibFunc(&fake.start, handle, "fake_start")
	purego.RegisterLibFunc(&fake.offer, handle, "fake_offer")
	purego.RegisterLibFunc(&fake.freeErrors, handle, "fake_free_errors")
	fake.calls.activate = func(name *byte, array **int32, count *uintptr) syscall.Errno {
		return syscall.Errno(activate(name, array, count))
	}
	t.Cleanup(func() {
		if n := fake.freeErrors(); n != 0 {
			t.Errorf("%d arrays freed wrongly or not at all", n)
		}
	})
	return fake
}

// listen offers a new listener on the loopback under name and returns its address.
func (f *fakeLaunchd) listen(t *testing.T, name string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	file, err := listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() }) // launchd keeps its own copy, too
	if errno := f.offer(name, int32(file.Fd())); errno != 0 {
		t.Fatalf("offer %s: %v", name, syscall.Errno(errno))
	}
	return listener.Addr().String()
}

func TestFakeLaunchdGivesListeners(t *testing.T) {
	fake := loadFakeLaunchd(t)
	fake.start(true, 0)
	addresses := []string{fake.listen(t, "web"), fake.listen(t, "web")}
	fake.listen(t, "other")

	descriptors, err := take(fake.calls, "web")
	if err != nil {
		t.Fatal(err)
	}
	if len(descriptors) != len(addresses) {
		t.Fatalf("got %v for %v", descriptors, addresses)
	}
	for i, fd := range descriptors {
		if !closeOnExec(t, fd) {
			t.Errorf("descriptor %d would be inherited by children", fd)
		}
		acceptOne(t, fd, addresses[i])
	}
}

// acceptOne checks that the descriptor is the listener at address, by a connection through it.
func acceptOne(t *testing.T, fd int, address string) {
	t.Helper()
	file := os.NewFile(uintptr(fd), address)
	defer file.Close()
	listener, err := net.FileListener(file)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	listener.(*net.TCPListener).SetDeadline(time.Now().Add(10 * time.Second))
	client, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	accepted, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	if accepted.RemoteAddr().String() != client.LocalAddr().String() {
		t.Errorf("accepted %v, the client is %v", accepted.RemoteAddr(), client.LocalAddr())
	}
}

func TestFakeLaunchdRefuses(t *testing.T) {
	fake := loadFakeLaunchd(t)
	fake.start(true, 0)
	fake.listen(t, "web")
	descriptors, err := take(fake.calls, "web")
	if err != nil {
		t.Fatal(err)
	}
	closeAll(descriptors)
	for name, want := range map[string]syscall.Errno{
		"web": syscall.EALREADY, "unknown": syscall.ENOENT, "": syscall.EINVAL, "w\x00eb": syscall.EINVAL,
	} {
		if got, err := take(fake.calls, name); got != nil || !errors.Is(err, want) {
			t.Errorf("%q: got %v, error %v, want %v", name, got, err, want)
		}
	}
	fake.start(false, 0)
	if got, err := take(fake.calls, "web"); got != nil || !errors.Is(err, syscall.ESRCH) {
		t.Errorf("without launchd: got %v, error %v", got, err)
	}
}

// While C holds the addresses of the out-parameters, the caller's stack grows (so it is copied) and the garbage
// collector runs. Out-parameters on the stack would then be written where nobody reads.
func TestFakeLaunchdWhileStackMoves(t *testing.T) {
	fake := loadFakeLaunchd(t)
	moved := false
	callback := purego.NewCallback(func() uintptr {
		moved = growStack(10_000) > 0
		runtime.GC()
		return 0
	})
	fake.start(true, callback)
	fake.listen(t, "web")
	type result struct {
		descriptors []int
		err         error
	}
	results := make(chan result)
	go func() { // a new goroutine, so a small stack
		descriptors, err := take(fake.calls, "web")
		results <- result{descriptors, err}
	}()
	got := <-results
	defer closeAll(got.descriptors)
	if got.err != nil || len(got.descriptors) != 1 {
		t.Errorf("got %v, error %v", got.descriptors, got.err)
	}
	if !moved {
		t.Error("nothing happened during the call")
	}
}

// growStack uses at least n times 64 bytes of stack.
func growStack(n int) int {
	var frame [64]byte
	if n == 0 {
		return 1
	}
	frame[n%len(frame)] = 1
	return growStack(n-1) + int(frame[(n+1)%len(frame)])
}
