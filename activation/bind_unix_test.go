package activation

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/platform"
)

// A unix socket has exactly the permissions that were asked for, 0666 unless told, whatever the umask is; and the umask of
// the program stays as it was.
func TestBindUnixModes(t *testing.T) {
	dir := shortDir(t)
	before := unix.Umask(0o077)
	defer unix.Umask(before)
	for option, want := range map[string]os.FileMode{"": 0o666, "?mode=": 0o666, "?mode=0660": 0o660, "?mode=600": 0o600, "?mode=0o640": 0o640, "?mode=0": 0, "?mode=0777": 0o777} {
		path := filepath.Join(dir, "s")
		sockets, err := opener().Open([]Address{address(t, "unix:"+path+option)})
		if err != nil {
			t.Errorf("%s: %v", option, err)
			continue
		}
		info, err := os.Lstat(path)
		if err != nil || info.Mode().Perm() != want || info.Mode().Type() != os.ModeSocket {
			t.Errorf("%s: %v, %v", option, info.Mode(), err)
		}
		if s := sockets[0]; !s.Bound() || s.Info.Family != platform.Unix || s.Info.Local != path || s.Kind != Listener {
			t.Errorf("%+v", s)
		}
		if want&0o600 == 0o600 {
			talk(t, sockets[0].Listener)
		}
		Close(sockets)
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the file is still there after Close: %v", option, err)
		}
	}
	if now := unix.Umask(0o077); now != 0o077 {
		t.Errorf("the umask is %04o now", now)
	}
}

// A user gives the socket to the user and group of the proxy in front of it, by name or number.
func TestBindUnixOwner(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	uid, gid := os.Getuid(), os.Getgid()
	if uid == 0 {
		uid, gid = 12345, 54321
	}
	openOne(t, "unix:"+path+"?owner="+strconv.Itoa(uid)+"&group="+strconv.Itoa(gid))
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil || int(st.Uid) != uid || int(st.Gid) != gid {
		t.Errorf("it belongs to %d:%d, %v", st.Uid, st.Gid, err)
	}
	for _, option := range []string{"owner=nobody-of-that-name", "group=no-group-of-that-name", "owner=-1"} {
		other := filepath.Join(filepath.Dir(path), "other")
		_, err := opener().Open([]Address{address(t, "unix:"+other+"?"+option)})
		expectError(t, option, err, other, option)
		if _, err := os.Lstat(other); err == nil {
			t.Errorf("%s: the socket was made all the same", option)
		}
	}
}

// The socket file of a crashed process is no obstacle; that of a running program, or any other file, is never removed.
func TestBindUnixInTheWay(t *testing.T) {
	dir := shortDir(t)
	stale, live, file, link := filepath.Join(dir, "stale"), filepath.Join(dir, "live"), filepath.Join(dir, "file"), filepath.Join(dir, "link")
	dead := listen(t, "unix", stale)
	dead.(*net.UnixListener).SetUnlinkOnClose(false)
	dead.Close()
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(stale, link); err != nil {
		t.Fatal(err)
	}
	alive := listen(t, "unix", live)
	for path, wants := range map[string][]string{
		live:                               {"another program answers", "another path"},
		file:                               {"no socket", "remove it"},
		link:                               {"no socket", "remove it"},
		filepath.Join(dir, "missing", "s"): {"missing"},
	} {
		_, err := opener().Open([]Address{address(t, "unix:"+path)})
		expectError(t, path, err, append(wants, "unix:"+path+": ")...)
		if path == live && !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("%v is not EADDRINUSE", err)
		}
	}
	if c, err := alive.Accept(); err != nil { // the attempt to find out who answers
		t.Error(err)
	} else {
		c.Close()
	}
	talk(t, alive)
	if text, err := os.ReadFile(file); string(text) != "precious" {
		t.Errorf("the file holds %q, %v", text, err)
	}
	talk(t, openOne(t, "unix:"+stale).Listener)
}

// Of two programs that start at once over a stale socket file, one gets the name and the other hears of it: neither takes
// the socket that the other has just made away.
func TestBindUnixStaleRace(t *testing.T) {
	for range 20 {
		path := filepath.Join(shortDir(t), "s")
		dead := listen(t, "unix", path)
		dead.(*net.UnixListener).SetUnlinkOnClose(false)
		dead.Close()
		var group sync.WaitGroup
		results := make(chan []Socket, 4)
		for range cap(results) {
			group.Go(func() {
				sockets, err := opener().Open([]Address{address(t, "unix:"+path)})
				if err != nil && !errors.Is(err, syscall.EADDRINUSE) {
					t.Error(err)
				}
				results <- sockets
			})
		}
		group.Wait()
		close(results)
		var won []Socket
		for sockets := range results {
			won = append(won, sockets...)
		}
		if len(won) != 1 {
			t.Fatalf("%d of them believe to hold %s", len(won), path)
		}
		if _, err := os.Lstat(path); err != nil {
			t.Error(err)
		}
		Close(won)
	}
}

// A path with spaces, commas and question marks is reachable by its escapes, and a relative one means this folder.
func TestBindUnixPaths(t *testing.T) {
	dir := shortDir(t)
	t.Chdir(dir)
	openOne(t, "unix:a%2Cb%20c%3Fd")
	if _, err := os.Lstat(filepath.Join(dir, "a,b c?d")); err != nil {
		t.Error(err)
	}
	limit := len(unix.RawSockaddrUnix{}.Path) - 1
	if _, err := ParseAddress("unix:/" + strings.Repeat("x", limit-1)); err != nil {
		t.Errorf("a path of %d bytes: %v", limit, err)
	}
	if _, err := ParseAddress("unix:/" + strings.Repeat("x", limit)); err == nil {
		t.Errorf("a path of %d bytes is taken", limit+1)
	}
}

// An abstract name needs no file; a name that is taken is told.
func TestBindAbstract(t *testing.T) {
	name := fmt.Sprintf("@rouse-test-%d", os.Getpid())
	a, err := ParseAddress("unix:" + name)
	if err != nil {
		t.Skip(err) // Linux only
	}
	s := openOne(t, "unix:"+name)
	if s.Info.Local != name {
		t.Errorf("%+v", s.Info)
	}
	talk(t, s.Listener)
	_, err = opener().Open([]Address{a})
	expectError(t, "the second", err, name, "another program")
	if !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("%v is not EADDRINUSE", err)
	}
}

// The socket file goes with its socket, but not one that a successor has put in its place.
func TestBindUnixSucceeded(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	before := openOne(t, "unix:"+path)
	if err := os.Remove(path); err != nil { // as --unix-socket-force does
		t.Fatal(err)
	}
	after := openOne(t, "unix:"+path)
	before.Listener.Close()
	talk(t, after.Listener)
	after.Listener.Close()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is still there: %v", err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	after.Listener.Close() // again, as callers may
	if _, err := os.Lstat(path); err != nil {
		t.Error(err)
	}
}
