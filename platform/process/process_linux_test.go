package process

import (
	"errors"
	"net"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/platform/seccomp"
)

// Relatives are found over several generations, and known by name.
func TestRelatives(t *testing.T) {
	p := start(t, "parent", plainly)
	child := p.number(t, "%d <nil>")
	grandchild := p.number(t, "%d <nil>")
	found := Descendants(os.Getpid())
	for _, pid := range []int{p.pid, child, grandchild} {
		if !slices.Contains(found, pid) {
			t.Errorf("%d is not among the descendants %v", pid, found)
		}
	}
	if below := Descendants(p.pid); len(below) != 2 || slices.Contains(below, p.pid) {
		t.Errorf("below %d: %v, want %d and %d", p.pid, below, child, grandchild)
	}
	if Parent(p.pid) != os.Getpid() || Parent(grandchild) != child || Parent(1<<30) != 0 || Descendants(1<<30) != nil {
		t.Error("wrong parents")
	}
	if Name(p.pid) == "" || Name(p.pid) != Name(os.Getpid()) && Name(p.pid) != "exe" || Name(1<<30) != "" {
		t.Errorf("name %q", Name(p.pid))
	}
}

// A thread is known to belong to its process.
func TestLeader(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if pid, err := Leader(unix.Gettid()); err != nil || pid != os.Getpid() {
		t.Errorf("%d, %v", pid, err)
	}
	if _, err := Leader(1 << 30); err == nil {
		t.Error("no error for no process")
	}
}

// Memory is read and written whole, or not at all.
func TestMemory(t *testing.T) {
	page := os.Getpagesize()
	memory, err := unix.Mmap(-1, 0, 2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(memory)
	if err := unix.Mprotect(memory[page:], unix.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	end := uint64(uintptr(unsafe.Pointer(&memory[page])))
	if err := WriteMemory(os.Getpid(), end-4, []byte("tail")); errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4)
	if err := ReadMemory(os.Getpid(), end-4, b); err != nil || string(b) != "tail" {
		t.Errorf("read %q, %v", b, err)
	}
	for _, c := range []struct {
		address uint64
		size    int
		want    error
	}{{end - 4, 5, unix.EFAULT}, {end, 1, unix.EFAULT}, {0, 1, unix.EFAULT}, {end, 0, nil}} {
		if err := ReadMemory(os.Getpid(), c.address, make([]byte, c.size)); err != c.want {
			t.Errorf("read %d bytes at the end%+d: %v", c.size, int64(c.address-end), err)
		}
	}
	if err := WriteMemory(os.Getpid(), end-2, []byte("tail")); err != unix.EFAULT {
		t.Errorf("write over the end: %v", err)
	}
}

// Descriptors of a process are seen with their flags, and which of them are one socket.
func TestDescriptors(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	twin, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 50)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(twin)
	self := os.Getpid()
	inode, ok := SocketInode(self, fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || !ok || inode != st.Ino {
		t.Errorf("inode %d, %t, want %d", inode, ok, st.Ino)
	}
	if _, ok := SocketInode(self, 987654); ok {
		t.Error("a socket where nothing is open")
	}
	same := SameSocket(self, inode)
	slices.Sort(same)
	if !slices.Equal(same, []int{fd, twin}) {
		t.Errorf("the same socket: %v, want %d and %d", same, fd, twin)
	}
	for _, c := range []struct{ fd, want int }{{fd, unix.O_NONBLOCK}, {twin, unix.O_NONBLOCK | unix.O_CLOEXEC}} {
		if flags, err := Flags(self, c.fd); err != nil || flags&(unix.O_NONBLOCK|unix.O_CLOEXEC) != c.want {
			t.Errorf("flags %o, %v, want %o", flags, err, c.want)
		}
	}
	if _, err := Flags(self, 987654); err == nil {
		t.Error("flags where nothing is open")
	}
}

// A duplicate of another process's descriptor is the same socket, and closed on exec.
func TestDescriptor(t *testing.T) {
	l := listen(t, unix.AF_INET, &unix.SockaddrInet4{Addr: loopback4})
	p := start(t, "sit", plainly, uintptr(l.fd))
	held, err := Open(p.pid)
	if err != nil {
		t.Skip(err)
	}
	defer held.Close()
	own, err := held.Descriptor(3)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(own)
	one, _ := SocketInode(os.Getpid(), own)
	other, _ := SocketInode(p.pid, 3)
	if flags, err := Flags(os.Getpid(), own); err != nil || flags&unix.O_CLOEXEC == 0 || one != other || one == 0 {
		t.Errorf("inode %d, want %d; flags %o, %v", one, other, flags, err)
	}
	if _, err := held.Descriptor(987654); !errors.Is(err, unix.EBADF) {
		t.Errorf("nothing there: %v", err)
	}
	if _, err := Open(1 << 30); !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ESRCH) {
		t.Errorf("no process: %v", err)
	}
}

// A program that asked epoll(7) about its socket before bind is told of clients of the socket that took its place, and can
// change and delete what it asked.
func TestRegister(t *testing.T) {
	l := listen(t, unix.AF_INET, &unix.SockaddrInet4{Addr: loopback4})
	var thread *seccomp.Thread
	p := start(t, "epoll", func(fork func() error) (err error) {
		thread, err = seccomp.Under(seccomp.Filter{Notify: []int{unix.SYS_BIND}}, seccomp.Auto, fork)
		return err
	})
	defer thread.Notifier.Close()
	defer thread.End()
	defer time.AfterFunc(patience, func() { thread.Notifier.Close() }).Stop()
	call, err := thread.Notifier.Receive()
	if err != nil {
		t.Fatal(err)
	}
	target := int(call.Args[0])
	pid, err := Leader(call.TID)
	if err != nil || pid != p.pid {
		t.Fatalf("process %d, %v, want %d", pid, err, p.pid)
	}
	regs := Registrations(pid, target)
	const events = unix.EPOLLIN | unix.EPOLLET&0xffffffff
	if len(regs) != 1 || regs[0].Data != 0x1122334455667788 || regs[0].Events&events != events {
		t.Fatalf("registrations %+v", regs)
	}
	if none := Registrations(pid, regs[0].Epoll); none != nil {
		t.Errorf("the set itself is registered: %+v", none)
	}
	held, err := Open(pid)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if err := thread.Notifier.Put(call, l.fd, target, true); err != nil {
		t.Fatal(err)
	}
	unix.SetNonblock(l.fd, true)
	before := len(numbers("/proc/self/fd"))
	if err := held.Register(l.fd, target, regs); err != nil {
		t.Fatal(err)
	}
	if err := held.Register(l.fd, target, nil); err != nil {
		t.Errorf("nothing to register: %v", err)
	}
	if after := len(numbers("/proc/self/fd")); after != before {
		t.Errorf("%d descriptors, %d before", after, before)
	}
	if err := thread.Notifier.Return(call, 0); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		client, err := net.DialTimeout("tcp", l.address, patience)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.line(t); got != "served" {
			t.Fatalf("the program says %q", got)
		}
		client.Close()
	}
	if got := p.line(t); got != "deleted" {
		t.Errorf("the program says %q", got)
	}
}
