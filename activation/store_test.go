package activation

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// keeper is what systemd does with the store, on a real socket: it keeps what it is sent, by name, and answers barriers.
type keeper struct {
	mu   sync.Mutex
	kept map[string][]int
	done chan struct{}
}

// keeps starts a keeper, to be found at NOTIFY_SOCKET.
func keeps(t *testing.T, name string) *keeper {
	t.Helper()
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: name})
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("NOTIFY_SOCKET", name)
	k := &keeper{kept: map[string][]int{}, done: make(chan struct{})}
	go k.run(l)
	t.Cleanup(func() {
		l.Close()
		<-k.done
		for _, fds := range k.kept {
			closeFDs(fds)
		}
	})
	return k
}

func (k *keeper) run(l *net.UnixConn) {
	defer close(k.done)
	text, rights := make([]byte, 4096), make([]byte, 256)
	for {
		n, m, _, _, err := l.ReadMsgUnix(text, rights)
		if err != nil {
			return
		}
		var fds []int
		messages, _ := unix.ParseSocketControlMessage(rights[:m])
		for _, message := range messages {
			passed, _ := unix.ParseUnixRights(&message)
			fds = append(fds, passed...)
		}
		k.read(string(text[:n]), fds)
	}
}

func (k *keeper) read(message string, fds []int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	lines := strings.Split(message, "\n")
	name := ""
	for _, line := range lines {
		if rest, ok := strings.CutPrefix(line, "FDNAME="); ok {
			name = rest
		}
	}
	switch {
	case slices.Contains(lines, "FDSTORE=1"):
		k.kept[name] = append(k.kept[name], fds...)
		return
	case slices.Contains(lines, "FDSTOREREMOVE=1"):
		closeFDs(k.kept[name])
		delete(k.kept, name)
	}
	closeFDs(fds)
}

func closeFDs(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}

// names lists what is kept now.
func (k *keeper) names() []string {
	barrier()
	k.mu.Lock()
	defer k.mu.Unlock()
	names := []string{}
	for name, fds := range k.kept {
		for range fds {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// next is the opener of the process that starts when the one before has ended.
func (k *keeper) next(t *testing.T, most string, more ...Descriptor) *Opener {
	t.Helper()
	barrier()
	k.mu.Lock()
	defer k.mu.Unlock()
	passed := listenFDs{descriptors: more}
	for name, fds := range k.kept {
		for _, fd := range fds {
			number, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
			if err != nil {
				t.Fatal(err)
			}
			passed.descriptors = append(passed.descriptors, Descriptor{Number: number, Name: name, Source: "systemd:" + name})
		}
	}
	o := &Opener{taken: map[int]bool{}, launched: map[string][]Descriptor{}}
	o.Store = takeStore(&passed, func(string) (string, bool) { return most, true }, func(string) error { return nil })
	o.listenFDs = passed
	return o
}

func openStored(t *testing.T, o *Opener, address string) Socket {
	t.Helper()
	a, err := ParseAddress(address)
	if err != nil {
		t.Fatal(err)
	}
	sockets, err := o.Open([]Address{a})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { Close(sockets) })
	return sockets[0]
}

// waitOn connects and sends a word, which nobody reads yet.
func waitOn(t *testing.T, l net.Listener) net.Conn {
	t.Helper()
	c, err := net.DialTimeout(l.Addr().Network(), l.Addr().String(), patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write([]byte("knock")); err != nil {
		t.Fatal(err)
	}
	return c
}

// serves tells whether the listener gives the word of a client that waits.
func serves(t *testing.T, l net.Listener) {
	t.Helper()
	l.(interface{ SetDeadline(time.Time) error }).SetDeadline(time.Now().Add(patience))
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	word := make([]byte, 10)
	if n, err := c.Read(word); string(word[:n]) != "knock" {
		t.Errorf("read %q, %v", word[:n], err)
	}
}

// Who waits in the queue while Rouse restarts is served by the next process, on any socket that Rouse binds.
func TestBoundSocketsComeBack(t *testing.T) {
	for _, where := range []string{filepath.Join(shortDir(t), "notify"), "@" + filepath.Join(shortDir(t), "notify")} {
		if where[0] == '@' && runtime.GOOS != "linux" {
			continue
		}
		k := keeps(t, where)
		path := filepath.Join(shortDir(t), "s,1")
		for _, address := range []string{"tcp:127.0.0.1:0", "tcp:127.0.0.1:0?backlog=100&proxy=v2", "unix:" + strings.ReplaceAll(path, ",", "%2C") + "?mode=0600"} {
			first := openStored(t, k.next(t, "16"), address)
			names := k.names()
			Close([]Socket{first})
			client := waitOn(t, first.Listener)
			o := k.next(t, "16")
			second := openStored(t, o, address)
			if second.Listener.Addr().String() != first.Listener.Addr().String() || !second.Bound() || second.Source != first.Source {
				t.Errorf("%s: %+v came back as %+v", address, first, second)
			}
			serves(t, second.Listener)
			client.Close()
			if notices := o.Store.Settle(); len(notices) > 0 {
				t.Errorf("%s: %q", address, notices)
			}
			if got := k.names(); !slices.Equal(got, names) || len(got) != 1 {
				t.Errorf("%s: the store holds %q, and held %q", address, got, names)
			}
			Close([]Socket{second})
			k.next(t, "16").Store.Settle()
		}
	}
}

// Without this the manager would hold for ever what nobody serves: clients would wait instead of being refused.
func TestWhatIsNoLongerWantedIsClosed(t *testing.T) {
	k := keeps(t, filepath.Join(shortDir(t), "notify"))
	first := openStored(t, k.next(t, "16"), "tcp:127.0.0.1:0")
	Close([]Socket{first})
	secret, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer secret.Close()
	o := k.next(t, "16")
	if err := errors.Join(o.Store.Keep("of another version", int(secret.Fd())), notifyWith(int(secret.Fd()), "FDSTORE=1\nFDNAME=stored")); err != nil {
		t.Fatal(err)
	}
	client := waitOn(t, first.Listener)
	closeBack(o)
	o = k.next(t, "16")
	notices := strings.Join(o.Store.Settle(), "\n")
	for _, word := range []string{"tcp:127.0.0.1:0 was kept", `"rouse-store/of another version"`, `"stored"`} {
		if !strings.Contains(notices, word) {
			t.Errorf("%q lacks %q", notices, word)
		}
	}
	if left := k.names(); len(left) > 0 {
		t.Errorf("the store still holds %q", left)
	}
	if _, err := client.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("who waited on it: %v", err)
	}
	if _, err := net.DialTimeout("tcp", first.Listener.Addr().String(), patience); err == nil {
		t.Error("one that comes later was not refused")
	}
}

// closeBack stands for the end of a process that has taken nothing.
func closeBack(o *Opener) {
	for _, d := range o.Store.Returned() {
		unix.Close(d.Number)
	}
}

// The socket of the old options is in the way of the new ones, as it is still open.
func TestChangedOptionsBindAnew(t *testing.T) {
	k := keeps(t, filepath.Join(shortDir(t), "notify"))
	first := openStored(t, k.next(t, "16"), "tcp:127.0.0.1:0")
	port := first.Listener.Addr().String()
	Close([]Socket{first})
	k.next(t, "16").Store.Settle()

	path := filepath.Join(shortDir(t), "s")
	for _, change := range [][2]string{{"tcp:" + port, "tcp:" + port + "?backlog=7"}, {"unix:" + path, "unix:" + path + "?mode=0600"}} {
		before := openStored(t, k.next(t, "16"), change[0])
		Close([]Socket{before})
		o := k.next(t, "16")
		after := openStored(t, o, change[1])
		o.Store.Settle()
		waitOn(t, after.Listener)
		serves(t, after.Listener)
		if got := k.names(); len(got) != 1 {
			t.Errorf("%s: the store holds %q", change[1], got)
		}
		Close([]Socket{after})
		k.next(t, "16").Store.Settle()
	}
}

// A unix socket whose file was removed meanwhile is found by nobody.
func TestRemovedSocketFileIsBoundAnew(t *testing.T) {
	k := keeps(t, filepath.Join(shortDir(t), "notify"))
	path := filepath.Join(shortDir(t), "s")
	Close([]Socket{openStored(t, k.next(t, "16"), "unix:"+path)})
	if err := os.Remove(path); err != nil {
		t.Fatalf("the file went with the process: %v", err)
	}
	o := k.next(t, "16")
	again := openStored(t, o, "unix:"+path)
	waitOn(t, again.Listener)
	serves(t, again.Listener)
	if notices := o.Store.Settle(); len(notices) != 1 || !strings.Contains(notices[0], "bound anew") {
		t.Errorf("%q", notices)
	}
}

// Two sockets of one address, and more sockets than there is room for.
func TestStoreIsNotOverfilled(t *testing.T) {
	k := keeps(t, filepath.Join(shortDir(t), "notify"))
	o := k.next(t, "4")
	for range 3 {
		openStored(t, o, "tcp:127.0.0.1:0")
	}
	if notices := o.Store.Settle(); len(notices) != 1 || !strings.Contains(notices[0], "FileDescriptorStoreMax=") {
		t.Errorf("%q", notices)
	}
	if names := k.names(); len(slices.Compact(names)) != 2 {
		t.Errorf("kept are %q", names)
	}
	o = k.next(t, "4")
	one, other := openStored(t, o, "tcp:127.0.0.1:0"), openStored(t, o, "tcp:127.0.0.1:0")
	if one.Listener.Addr().String() == other.Listener.Addr().String() || len(o.Store.Settle()) > 0 {
		t.Errorf("%s came back twice", one.Listener.Addr())
	}
}

// A program that `run` or `dispatch` holds a socket for: it comes back too, and when a reload drops it nothing is left of it.
func TestHeldSocketsComeBackAndAreReleased(t *testing.T) {
	k := keeps(t, filepath.Join(shortDir(t), "notify"))
	path := filepath.Join(shortDir(t), "s")
	for _, text := range []string{"tcp:127.0.0.1:0", "udp:127.0.0.1:0", "unix:" + path} {
		a, err := ParseAddress(text)
		if err != nil {
			t.Fatal(err)
		}
		hold := func() (*Opener, []Held) {
			o := k.next(t, "16")
			held, _, err := o.Hold([]Address{a}, nil)
			if err != nil {
				t.Fatal(err)
			}
			return o, held
		}
		_, first := hold()
		CloseHeld(first)
		o, second := hold()
		if len(second) != 1 || !second[0].Bound || second[0].Info.Local != first[0].Info.Local || second[0].Kind != first[0].Kind {
			t.Errorf("%s: %+v came back as %+v", text, first, second)
		}
		o.Release(second)
		if names := k.names(); len(names) > 0 {
			t.Errorf("%s: still kept: %q", text, names)
		}
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file of the released socket: %v", err)
	}
}

// What comes back is none of the sockets that somebody passed: it has no role, and no notice that nobody takes it.
func TestStoredIsNotPassed(t *testing.T) {
	k := keeps(t, filepath.Join(shortDir(t), "notify"))
	Close([]Socket{openStored(t, k.next(t, "16"), "tcp:127.0.0.1:0")})
	o := k.next(t, "16")
	defer o.Store.Settle()
	if left := o.Left(); len(left) > 0 {
		t.Errorf("left: %+v", left)
	}
	if mine, _, err := o.listenFDs.mine(); len(mine) > 0 || err != nil {
		t.Errorf("passed: %+v, %v", mine, err)
	}
	if _, err := o.Open([]Address{{Source: "systemd"}}); err == nil || !strings.Contains(err.Error(), "only what came back") {
		t.Errorf("systemd: %v", err)
	}
	if back := o.Store.Returned(); len(back) != 1 || back[0].BoundAddress() != "tcp:127.0.0.1:0" {
		t.Errorf("came back: %+v", back)
	}
}

// Without a store all is as it always was: the file of a unix socket goes with it, and nothing is sent.
func TestWithoutStore(t *testing.T) {
	k := keeps(t, filepath.Join(shortDir(t), "notify"))
	path := filepath.Join(shortDir(t), "s")
	for _, most := range []string{"", "0", "-1", "many"} {
		s := openStored(t, k.next(t, most), "unix:"+path)
		Close([]Socket{s})
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("FDSTORE=%s: %v", most, err)
		}
	}
	if names := k.names(); len(names) > 0 {
		t.Errorf("kept: %q", names)
	}
}

// A manager that went away must neither stop the service nor take the file of its socket away.
func TestStoreOfNobody(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", filepath.Join(shortDir(t), "nobody"))
	passed := listenFDs{}
	o := &Opener{taken: map[int]bool{}, Store: takeStore(&passed, func(string) (string, bool) { return "16", true }, func(string) error { return nil })}
	s := openStored(t, o, "tcp:127.0.0.1:0")
	waitOn(t, s.Listener)
	serves(t, s.Listener)
	if notices := o.Store.Settle(); len(notices) != 1 || !strings.Contains(notices[0], "not kept") {
		t.Errorf("%q", notices)
	}
}

// systemd takes names of at most 255 ASCII characters, without colons (fdname_is_valid).
func TestStoreNames(t *testing.T) {
	long := "unix:/" + strings.Repeat("ä", 50)
	for _, text := range []string{"tcp:[::1]:80?backlog=1&proxy=v1", "unix:/run/ä:b.sock", long, "unix:@name"} {
		a, err := ParseAddress(text)
		if err != nil {
			t.Fatal(err)
		}
		name := nameOf(a)
		bad := strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r >= 127 || r == ':' })
		if bad || len(name) > 250 || strings.Contains(name, "proxy") {
			t.Errorf("%s: %q", text, name)
		}
	}
}
