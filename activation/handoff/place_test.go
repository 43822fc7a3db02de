package handoff

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// kinds are the types of sockets that are bound here, with and without connections.
func kinds() map[string]int {
	return map[string]int{"dgram": unix.SOCK_DGRAM, "stream": unix.SOCK_STREAM, "seqpacket": unix.SOCK_SEQPACKET}
}

// bindNew binds a new socket of the type, which the test closes.
func bindNew(t testing.TB, kind int, path string) (fd int, remove func(), err error) {
	t.Helper()
	fd, err = newSocket(kind)
	if err != nil {
		t.Skip(err)
	}
	remove, err = bindAt(fd, path, 0o640, -1, -1)
	return fd, remove, err
}

// The file has the mode that was asked for, whatever the umask is, which stays as it was; and it goes with its socket.
func TestBindAt(t *testing.T) {
	noLeak(t)
	before := unix.Umask(0o077)
	defer unix.Umask(before)
	for name, kind := range kinds() {
		path := filepath.Join(shortDir(t), name)
		fd, remove, err := bindNew(t, kind, path)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Lstat(path); err != nil || info.Mode() != fs.ModeSocket|0o640 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
		if err := probe(kind, path); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		remove()
		remove()
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: the file is still there: %v", name, err)
		}
		unix.Close(fd)
	}
	if now := unix.Umask(0o077); now != 0o077 {
		t.Errorf("the umask is %04o now", now)
	}
}

// Without this who waits for the file, as programs do that register and know no second try, would be refused at times: by when
// the file may be connected to, the socket listens.
func TestBindAtListensBeforeItIsSeen(t *testing.T) {
	noLeak(t)
	const rounds = 400
	dir := shortDir(t)
	for i := range rounds {
		path, connected := filepath.Join(dir, strconv.Itoa(i)), make(chan error, 1)
		client, err := newSocket(unix.SOCK_SEQPACKET)
		if err != nil {
			t.Skip(err)
		}
		go func() {
			var st unix.Stat_t
			for unix.Lstat(path, &st) != nil || st.Mode&0o777 == 0 {
			}
			connected <- unix.Connect(client, &unix.SockaddrUnix{Name: path})
		}()
		fd, remove, err := bindNew(t, unix.SOCK_SEQPACKET, path)
		if err != nil {
			t.Fatal(err)
		}
		if err := <-connected; err != nil {
			t.Errorf("round %d: %v", i, err)
		}
		remove()
		unix.Close(fd)
		unix.Close(client)
	}
}

func TestBindAtOwner(t *testing.T) {
	noLeak(t)
	if os.Geteuid() != 0 {
		t.Skip("only root may give files away")
	}
	path := filepath.Join(shortDir(t), "s")
	d, err := ListenDatagrams(path, DatagramOptions{Mode: 0o600, Owner: 12345, Group: 54321})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil || st.Uid != 12345 || st.Gid != 54321 || st.Mode&0o777 != 0o600 {
		t.Errorf("it belongs to %d:%d, mode %o, %v", st.Uid, st.Gid, st.Mode, err)
	}
}

// The living are never robbed, of whatever type they are; what the dead left is taken over.
func TestBindAtInTheWay(t *testing.T) {
	noLeak(t)
	for name, kind := range kinds() {
		path := filepath.Join(shortDir(t), name)
		held, _, err := bindNew(t, kind, path)
		if err != nil {
			t.Fatal(err)
		}
		for other, kind := range kinds() {
			fd, _, err := bindNew(t, kind, path)
			expectError(t, name+" and "+other, err, path, "another program answers", "another path")
			if !errors.Is(err, unix.EADDRINUSE) {
				t.Errorf("%v is not EADDRINUSE", err)
			}
			unix.Close(fd)
		}
		if err := probe(kind, path); err != nil {
			t.Errorf("%s: it was robbed: %v", name, err)
		}
		unix.Close(held)
		fd, remove, err := bindNew(t, kind, path)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		remove()
		unix.Close(fd)
	}
	dir := shortDir(t)
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, words := range map[string][]string{
		file:                                {"no socket", "remove it"},
		filepath.Join(dir, "missing", "s"):  {"the folder", "has to exist"},
		"/" + strings.Repeat("x", 200):      {"201 bytes", "shorter"},
		"/tmp/a\x00b":                       {"NUL"},
		"":                                  {"a path such as"},
		filepath.Join(dir, "file", "below"): {"not a directory"},
	} {
		fd, _, err := bindNew(t, unix.SOCK_DGRAM, path)
		expectError(t, path, err, words...)
		unix.Close(fd)
	}
	if text, err := os.ReadFile(file); string(text) != "precious" {
		t.Errorf("the file holds %q, %v", text, err)
	}
}

// A receiver whose queue is full, or who has a peer of his own, is alive too.
func TestBindAtBusy(t *testing.T) {
	noLeak(t)
	dir := shortDir(t)
	path, peer := filepath.Join(dir, "s"), filepath.Join(dir, "peer")
	a, b := boundDatagram(t, path), boundDatagram(t, peer)
	defer unix.Close(a)
	defer unix.Close(b)
	if err := unix.Connect(a, &unix.SockaddrUnix{Name: peer}); err != nil {
		t.Fatal(err)
	}
	fd, _, err := bindNew(t, unix.SOCK_DGRAM, path)
	expectError(t, "with a peer", err, "another program answers")
	unix.Close(fd)
}

// Of several that start at once over a stale file one gets the name, and the others hear of it.
func TestBindAtRace(t *testing.T) {
	noLeak(t)
	for range 20 {
		path := filepath.Join(shortDir(t), "s")
		unix.Close(boundDatagram(t, path))
		var group sync.WaitGroup
		results := make(chan *Datagrams, 4)
		for range cap(results) {
			group.Go(func() {
				d, err := ListenDatagrams(path, DatagramOptions{Owner: -1, Group: -1})
				if err != nil && !errors.Is(err, unix.EADDRINUSE) {
					t.Error(err)
				}
				if err == nil {
					results <- d
				}
			})
		}
		group.Wait()
		close(results)
		if len(results) != 1 {
			t.Fatalf("%d of them believe to hold %s", len(results), path)
		}
		if _, err := os.Lstat(path); err != nil {
			t.Error(err)
		}
		(<-results).Close()
	}
}

// The file of a successor is left alone.
func TestRemoveOwn(t *testing.T) {
	noLeak(t)
	path := filepath.Join(shortDir(t), "s")
	before, remove, err := bindNew(t, unix.SOCK_DGRAM, path)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(before)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	after := boundDatagram(t, path)
	defer unix.Close(after)
	remove()
	if err := probe(unix.SOCK_DGRAM, path); err != nil {
		t.Error(err)
	}
}

// An abstract name needs no file, and a name that is taken is told.
func TestBindAtAbstract(t *testing.T) {
	noLeak(t)
	name := "@" + shortDir(t)
	fd, remove, err := bindNew(t, unix.SOCK_DGRAM, name)
	if err != nil {
		unix.Close(fd)
		t.Skip(err) // Linux only
	}
	defer unix.Close(fd)
	defer remove()
	d, err := ListenDatagrams(name, DatagramOptions{Owner: -1, Group: -1})
	if err == nil {
		d.Close()
	}
	expectError(t, "the second", err, "another program holds this name")
	client, c := connection(t)
	d, err = ListenDatagrams(name+"2", DatagramOptions{Owner: -1, Group: -1, Credit: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	s := sender(t, name+"2")
	if err := s.Check(); err != nil {
		t.Error(err)
	}
	if err := s.Send(c); err != nil {
		t.Fatal(err)
	}
	answers(t, next(t, d).Number, client)
}
