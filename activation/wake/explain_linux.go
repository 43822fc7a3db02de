package wake

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/platform/process"
	"github.com/rouse-server/rouse/platform/seccomp"
)

// yamaFile holds how far Yama lets processes look into others (Documentation/admin-guide/LSM/Yama.rst).
const yamaFile = "/proc/sys/kernel/yama/ptrace_scope"

// facts tries what listener mode needs of the kernel. Nothing is started, and nothing stays of it.
func (c Config) facts() []Fact {
	noNewPrivs, err := seccomp.Probe(c.Privileges)
	return []Fact{
		{"kernel", kernel(), "listener mode needs Linux 5.9; since 6.11 a program could bind by io_uring, unseen without --no-io-uring"},
		notification(err),
		c.newPrivileges(noNewPrivs, err),
		descriptors(),
		yama(),
		capability("CAP_SYS_ADMIN", unix.CAP_SYS_ADMIN, "listener mode can be had without no_new_privs", "listener mode can be had with no_new_privs only"),
		capability("CAP_SYS_PTRACE", unix.CAP_SYS_PTRACE, "a program that changes its user before it binds can be served", "a bind after a change of user is refused: let the manager set the user (User= in systemd)"),
	}
}

func kernel() string {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return "unknown"
	}
	return unix.ByteSliceToString(name.Release[:]) + " " + unix.ByteSliceToString(name.Machine[:])
}

func notification(err error) Fact {
	f := Fact{Name: "seccomp notification"}
	switch {
	case err == nil:
		f.Value, f.Means = "yes", "listener mode can be had"
	case errors.Is(err, seccomp.ErrTaken):
		f.Value, f.Means = "taken", "another notifier is above this process, and the kernel allows one: no listener mode"
	case errors.Is(err, seccomp.ErrDenied):
		f.Value, f.Means = "denied", "no listener mode"
	default:
		f.Value, f.Means = "no", "no listener mode: "+err.Error()
	}
	return f
}

func (c Config) newPrivileges(set bool, err error) Fact {
	f := Fact{Name: "no_new_privs", Value: "no", Means: "setuid files work under the program"}
	own, _ := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
	switch {
	case own == 1:
		f.Value, f.Means = "inherited", "setuid files have no effect under the program: whoever started rouse wants it so"
	case err == nil && set, c.Privileges == seccomp.None:
		f.Value, f.Means = "yes", "setuid files (sudo, ping) have no effect under the program"
	}
	return f
}

// descriptors tries pidfd_getfd(2) on this process itself, which only a filter refuses.
func descriptors() Fact {
	f := Fact{Name: "pidfd_getfd", Value: "yes", Means: "socket options that the program sets before its bind are kept"}
	own, err := process.Open(os.Getpid())
	if err == nil {
		defer own.Close()
		var fd int
		if fd, err = own.Descriptor(0); err == nil {
			unix.Close(fd)
		} else if errors.Is(err, unix.EBADF) { // nothing is open there, but the call exists
			err = nil
		}
	}
	if err != nil {
		f.Value, f.Means = "no", "socket options and epoll registrations from before the bind are lost: "+err.Error()
	}
	return f
}

func yama() Fact {
	f := Fact{Name: "ptrace_scope of Yama", Value: "none", Means: "no further limit"}
	scope, ok := yamaScope()
	if !ok {
		return f
	}
	f.Value = strconv.Itoa(scope)
	switch {
	case noReading() != "":
		f.Means = "no listener mode: " + noReading()
	case scope > 0:
		f.Means = "a process may look into those that it started, which is enough"
	}
	return f
}

func yamaScope() (scope int, ok bool) {
	b, err := os.ReadFile(yamaFile)
	if err != nil {
		return 0, false
	}
	scope, err = strconv.Atoi(strings.TrimSpace(string(b)))
	return scope, err == nil
}

// noProcesses says why the processes of the program could not be found, or nothing.
func noProcesses() string {
	switch self, err := os.Readlink("/proc/self"); {
	case err != nil:
		return "/proc is not mounted"
	case self != strconv.Itoa(os.Getpid()):
		return "/proc is that of another PID namespace (unshare has --mount-proc)"
	}
	return ""
}

// noReading says why the addresses that the program binds could not be read, or nothing.
func noReading() string {
	scope, _ := yamaScope()
	switch {
	case scope == 3:
		return "kernel.yama.ptrace_scope=3 keeps every process from reading what the program binds"
	case scope == 2 && !has(unix.CAP_SYS_PTRACE):
		return "kernel.yama.ptrace_scope=2 asks for CAP_SYS_PTRACE to read what the program binds"
	}
	return ""
}

func capability(name string, number int, with, without string) Fact {
	if has(number) {
		return Fact{name, "yes", with}
	}
	return Fact{name, "no", without}
}

// has reads the effective set of capabilities(7).
func has(number int) bool {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(b)) {
		if digits, ok := strings.CutPrefix(line, "CapEff:"); ok {
			set, err := strconv.ParseUint(strings.TrimSpace(digits), 16, 64)
			return err == nil && set&(1<<number) != 0
		}
	}
	return false
}
