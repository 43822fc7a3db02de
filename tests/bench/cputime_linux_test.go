package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// share is what each piece of the test's work uses.
const share = 60 * time.Millisecond

func TestParseStat(t *testing.T) {
	line := []byte("42 (a) R 1 (b)) S 7 8 9 0 -1 4194560 0 0 0 0 100 200 3 4 20 0 1 0 100 0 0\n")
	got, err := parseStat(line)
	want := process{pid: 42, parent: 7, group: 8, session: 9, reaped: 70 * time.Millisecond}
	if err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if _, err := parseStat([]byte("42 (short) S 1")); err == nil {
		t.Error("a cut line was accepted")
	}
}

// A process uses its share in a thread that ends; one child uses its own and is waited for, one in a session of its
// own uses its own and lives on. All three must be counted, and hardly more.
func TestTreeCPUCountsEveryProcessAndThread(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "use-cpu", "parent")
	cmd.SysProcAttr = ownSession()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer stdin.Close() // on which both processes end
	watchdog := time.AfterFunc(30*time.Second, func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	defer watchdog.Stop()

	own, err := bufio.NewReader(stdout).ReadString('\n') // the processes' own account of it
	if err != nil {
		t.Fatal(err)
	}
	reported, err := strconv.ParseInt(own[:len(own)-1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	got, err := treeCPU(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	// Beside the reported: starting, and rounding for the child that ended, 10 ms each of user and system time.
	if want := time.Duration(reported); got < want-20*time.Millisecond || got > want+share/2 {
		t.Errorf("counted %v, the processes say %v", got, want)
	}
}

func TestTreeCPUOfAnEndedProcess(t *testing.T) {
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Skip("no program named true: ", err)
	}
	if got, err := treeCPU(cmd.Process.Pid); err == nil {
		t.Errorf("got %v and no error", got)
	}
}

// useCPU is the process that the test starts, and its two children. It prints the CPU used by itself and them, in ns.
func useCPU(args []string) {
	var thread sync.WaitGroup
	thread.Go(func() {
		runtime.LockOSThread() // and never unlock: the thread ends with the function
		busy()
	})
	thread.Wait()
	var children time.Duration
	if args[0] == "parent" {
		children = startChild("child-that-ends") + startChild("child-that-stays")
	}
	fmt.Println(int64(children + ownCPU()))
	if args[0] != "child-that-ends" {
		_, _ = io.Copy(io.Discard, os.Stdin)
	}
}

func startChild(name string) time.Duration {
	cmd := exec.Command(os.Args[0], "use-cpu", name)
	cmd.Stdin = os.Stdin
	cmd.SysProcAttr = ownSession()
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		panic(err)
	}
	var used int64
	if _, err := fmt.Fscan(stdout, &used); err != nil {
		panic(err)
	}
	if name == "child-that-ends" {
		_ = cmd.Wait()
	}
	return time.Duration(used)
}

func busy() {
	for end := ownCPU() + share; ownCPU() < end; {
	}
}

func ownCPU() time.Duration {
	var used unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &used); err != nil {
		panic(err)
	}
	return time.Duration(used.Nano())
}
