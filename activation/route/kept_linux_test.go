package route

import (
	"net/netip"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/platform/sklookup"
)

// shelf is a Keeper with copies of its own, as the manager has.
type shelf struct{ kept map[string]int }

func (s *shelf) Room() bool { return len(s.kept) < 2 }

func (s *shelf) Keep(name string, fd int) (err error) {
	s.kept[name], err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	return err
}

func (s *shelf) Forget(name string) {
	unix.Close(s.kept[name])
	delete(s.kept, name)
}

// next begins an engine with what is kept.
func (s *shelf) next(t *testing.T, pin string) *kernel {
	t.Helper()
	var came []activation.Descriptor
	for name, fd := range s.kept {
		fd, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
		if err != nil {
			t.Fatal(err)
		}
		came = append(came, activation.Descriptor{Name: name, Number: fd})
	}
	k, err := newKernel(Options{Pin: pin, Keeper: s, Kept: came})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.close)
	return k
}

// Without this a dispatcher that crashes, or restarts together with its backends, would lose those who wait in the queues of backends
// that it has made: they are kept, for as long as the rules have use for them, and there is room.
func TestKernelQueuesAreKept(t *testing.T) {
	bpf, inside := ownNetwork(t)
	if !inside {
		return
	}
	for name, pin := range map[string]string{"gone": "", "pinned": bpf + "/pin"} {
		t.Run(name, func(t *testing.T) { queuesAreKept(t, pin) })
	}
}

func queuesAreKept(t *testing.T, pin string) {
	s := &shelf{map[string]int{}}
	web := kernelFront(t, "web", "tcp", "0.0.0.0:4000")
	first := s.next(t, pin)
	made := first.put(t, registered(to("a", "127.0.0.2"), to("b", "127.0.0.3"), to("c", "127.0.0.4")), web)
	kept := slices.DeleteFunc([]*front{made["web a"], made["web b"], made["web c"]}, func(f *front) bool { return f.kept == "" })
	if len(kept) != 2 || len(s.kept) != 2 {
		t.Fatalf("%d sockets are kept, and %d are there; there is room for 2", len(kept), len(s.kept))
	}
	one, other := kept[0], kept[1]
	cookie, err := sklookup.CookieOf(one.fd)
	if err != nil {
		t.Fatal(err)
	}
	from := map[string]string{"a": "127.0.0.2", "b": "127.0.0.3", "c": "127.0.0.4"}[one.backend]
	waits, err := connectFrom(netip.MustParseAddrPort(from+":0"), port4000)
	if err != nil {
		t.Fatal(err)
	}
	first.close()

	second := s.next(t, pin)
	again := second.put(t, registered(to(one.backend, from)), web)["web "+one.backend]
	if now, err := sklookup.CookieOf(again.fd); err != nil || now != cookie {
		t.Errorf("the socket was %x, and is %x: %v", cookie, now, err)
	}
	if who := takes(t, map[string]*front{"again": again, "web": web}); who != "again" {
		t.Errorf("who waited is with %q", who)
	}
	if _, there := s.kept[other.kept]; there || len(s.kept) != 1 {
		t.Errorf("what nobody has use for is kept still: %d", len(s.kept))
	}
	waits.Close()
	second.release(again)
	if len(s.kept) != 0 {
		t.Error("a socket that was released is kept still")
	}
}
