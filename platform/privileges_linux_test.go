package platform

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// lessVariable makes the test's own program give its rights up, tell what is left to each thread, and to a program it starts.
const lessVariable = "ROUSE_TEST_LESS_RIGHTS"

// Without this, one thread could keep what the others gave up.
func TestNothingIsLeftOnAnyThread(t *testing.T) {
	if os.Getenv(lessVariable) != "" {
		tellRights()
		return
	}
	// Without cgo, as the product is built: with it not all threads can be reached (syscall.AllThreadsSyscall).
	pure := filepath.Join(t.TempDir(), "pure.test")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-o", pure, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	program := exec.CommandContext(t.Context(), pure, "-test.run=^TestNothingIsLeftOnAnyThread$", "-test.v=false")
	program.Env = append(os.Environ(), lessVariable+"=1")
	out, err := program.CombinedOutput()
	text := string(out)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, line := range []string{"CapInh:\t0000000000000000", "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "CapAmb:\t0000000000000000", "NoNewPrivs:\t1"} {
		name, _, _ := strings.Cut(line, ":")
		if n, all := strings.Count(text, line+"\n"), strings.Count(text, name+":"); n < 4 || n != all { // three threads at least, and the program
			t.Errorf("%d of %d threads have %q\n%s", n, all, line, text)
		}
	}
	if !strings.Contains(text, "dumpable 0\n") {
		t.Errorf("the memory can be read\n%s", text)
	}
}

func tellRights() {
	for range 2 {
		go func() {
			runtime.LockOSThread()
			select {}
		}()
	}
	_, failed := GiveUpCapabilities()
	if err := errors.Join(NoNewPrivileges(), failed, HideMemory()); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	files, _ := filepath.Glob("/proc/self/task/*/status")
	for _, file := range files {
		text, _ := os.ReadFile(file)
		fmt.Printf("%s\n", text)
	}
	child, err := exec.Command("cat", "/proc/self/status").Output()
	fmt.Printf("%s%v\n", child, err)
	dumpable, _, _ := syscall.Syscall(syscall.SYS_PRCTL, syscall.PR_GET_DUMPABLE, 0, 0)
	fmt.Printf("dumpable %d\n", dumpable)
	os.Exit(0)
}
