package activation

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/platform"
)

// namespace makes a network namespace in which nothing but a loopback interface is, and returns its path. It ends with the test.
func namespace(t *testing.T) string {
	t.Helper()
	made, end := make(chan error, 1), make(chan struct{})
	path := ""
	platform.OnOwnThread(func() {
		err := unix.Unshare(unix.CLONE_NEWNET)
		path = fmt.Sprintf("/proc/%d/task/%d/ns/net", os.Getpid(), unix.Gettid())
		if err == nil {
			err = loopbackUp()
		}
		made <- err
		<-end
	})
	t.Cleanup(func() { close(end) })
	if err := <-made; err != nil {
		t.Skipf("no network namespace of our own: %v", err)
	}
	return path
}

// loopbackUp starts the loopback interface of this thread's namespace (netdevice(7)).
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo)
}

// option asks the kernel for an option of a socket that was bound.
func option(t *testing.T, h Held, level, number int) int {
	t.Helper()
	value, err := unix.GetsockoptInt(h.Number, level, number)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// holdOne binds one address.
func holdOne(t *testing.T, text string) Held {
	t.Helper()
	held, _, err := opener().Hold([]Address{address(t, text)}, nil)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	t.Cleanup(func() { CloseHeld(held) })
	return held[0]
}

// What an address says of its socket is what the kernel then knows of it.
func TestBindOptions(t *testing.T) {
	inside := "namespace=" + namespace(t)
	for _, c := range []struct {
		text          string
		level, number int
		want          int
	}{
		{"tcp:127.0.0.1:0?backlog=7", unix.IPPROTO_IP, unix.IP_TOS, 0}, // the backlog itself is looked at below
		{"tcp:192.0.2.1:443?freebind=yes&" + inside, unix.IPPROTO_IP, unix.IP_FREEBIND, 1},
		{"tcp:[2001:db8::1]:443?freebind=yes&" + inside, unix.IPPROTO_IPV6, unix.IPV6_FREEBIND, 1},
		{"tcp:192.0.2.2:443?transparent=yes&" + inside, unix.IPPROTO_IP, unix.IP_TRANSPARENT, 1},
		{"tcp:[2001:db8::2]:443?transparent=yes&" + inside, unix.IPPROTO_IPV6, unix.IPV6_TRANSPARENT, 1},
		{"udp:192.0.2.3:443?transparent=yes&freebind=yes&" + inside, unix.IPPROTO_IP, unix.IP_TRANSPARENT, 1},
		{"tcp:444?reuse-port=yes&" + inside, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1},
		{"tcp:445?reuse-port=no&" + inside, unix.SOL_SOCKET, unix.SO_REUSEPORT, 0},
		{"udp:446?reuse-port=yes&" + inside, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1},
	} {
		if got := option(t, holdOne(t, c.text), c.level, c.number); got != c.want {
			t.Errorf("%s: the option is %d", c.text, got)
		}
	}
	for _, text := range []string{"tcp:447?interface=lo&" + inside, "udp:448?interface=lo&" + inside} {
		if name, err := unix.GetsockoptString(holdOne(t, text).Number, unix.SOL_SOCKET, unix.SO_BINDTODEVICE); err != nil || strings.TrimRight(name, "\x00") != "lo" {
			t.Errorf("%s: bound to %q, %v", text, name, err)
		}
	}
	info, err := unix.GetsockoptTCPInfo(holdOne(t, "tcp:127.0.0.1:0?backlog=7").Number, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil || info.Sacked != 7 { // of a listener, its backlog (tcp_get_info in net/ipv4/tcp.c)
		t.Errorf("backlog %d, %v", info.Sacked, err)
	}
}

// A socket of another namespace is bound there, and nowhere else; what follows is bound here.
func TestBindNamespace(t *testing.T) {
	path := namespace(t)
	here := holdOne(t, "tcp:127.0.0.1:0")
	there := holdOne(t, "tcp:"+here.Info.Local+"?namespace="+path) // the port is taken here
	holdOne(t, "udp:"+here.Info.Local+"?namespace="+path)
	var own, other unix.Stat_t
	if err := errors.Join(unix.Stat("/proc/self/ns/net", &own), unix.Stat(path, &other)); err != nil {
		t.Fatal(err)
	}
	for fd, want := range map[int]uint64{here.Number: own.Ino, there.Number: other.Ino} {
		ns, err := unix.IoctlRetInt(fd, unix.SIOCGSKNS)
		if err != nil {
			t.Fatal(err)
		}
		var st unix.Stat_t
		unix.Fstat(ns, &st)
		unix.Close(ns)
		if st.Ino != want {
			t.Errorf("descriptor %d is in namespace %d, not %d", fd, st.Ino, want)
		}
	}
}

func TestBindOptionErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	path := namespace(t)
	for text, wants := range map[string][]string{
		"tcp:127.0.0.1:0?interface=nosuch0":               {"interface=nosuch0", "no such network interface"},
		"tcp:127.0.0.1:0?namespace=nosuch":                {"/run/netns/nosuch", "no such file", "ip netns"},
		"tcp:127.0.0.1:0?namespace=" + file:               {file, "is no network namespace"},
		"udp:127.0.0.1:0?namespace=" + file:               {file, "is no network namespace"},
		"tcp:192.0.2.1:443?namespace=" + path:             {"no such address"},
		"tcp:192.0.2.1:443?freebind=no&namespace=" + path: {"no such address"},
	} {
		_, _, err := opener().Hold([]Address{address(t, text)}, nil)
		expectError(t, text, err, wants...)
	}
	if err := optionError("transparent", "yes", unix.EPERM); !errors.Is(err, syscall.EPERM) || !strings.Contains(err.Error(), "CAP_NET_ADMIN") {
		t.Error(err)
	}
}
