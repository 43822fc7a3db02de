// Package seccomp lets this process answer system calls of programs that it starts: seccomp_unotify(2).
//
// It is no sandbox: what a program passes by a pointer may change after it was read.
package seccomp

import "errors"

// Filter names the system calls that are answered by the caller of Under, by their numbers in this machine's native ABI. All
// others, and those of other ABIs (32-bit programs), pass.
type Filter struct {
	Notify []int // wait until a Notifier answers
	Refuse []int // fail with ENOSYS, as on a kernel that does not have them

	// Interruptible says that signals which the program handles interrupt a notified call that waits for its answer, as they
	// interrupt one that waits in the kernel. Without it such a call is torn by no signal but one that ends the program, where
	// the kernel can have it so (Linux 5.19). It is for calls that may be answered late.
	Interruptible bool
}

// Privileges says whether a thread, and the processes that it starts, give up gaining privileges by executing setuid files
// (PR_SET_NO_NEW_PRIVS, prctl(2)). The kernel asks for it where CAP_SYS_ADMIN is missing. The empty value is Auto.
type Privileges string

const (
	Auto Privileges = "auto" // given up only where the kernel asks for it
	None Privileges = "yes"  // no new privileges, in any case
	Kept Privileges = "no"   // never given up
)

var (
	// ErrTaken says that a notifier is above this process already: the kernel allows one (EBUSY).
	ErrTaken = errors.New("the kernel allows one seccomp notifier, and another one is above this process already")
	// ErrUnsupported says that the kernel or the CPU has no such thing.
	ErrUnsupported = errors.New("no seccomp user notification here: it needs Linux 5.9 or newer on amd64 or arm64")
	// ErrDenied says that this process may not have it.
	ErrDenied = errors.New("seccomp user notification is denied to this process")
)

// Call is a system call that waits for its answer.
type Call struct {
	ID     uint64
	TID    int // the thread that made it, as this process numbers it
	Number int
	Args   [6]uint64
}

// Probe tries whether Under can be had, on a thread that it throws away. It returns whether programs started so cannot gain
// privileges, and the error of Under.
func Probe(p Privileges) (noNewPrivs bool, err error) { return probe(p) }

// ProbeAnswer is Probe for Notifier.PutAnswer too.
func ProbeAnswer(p Privileges) error { return probeAnswer(p) }
