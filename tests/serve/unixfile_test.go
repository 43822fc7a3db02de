package serve

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// Without this a server that crashed could not start again before somebody removed its socket file; and a second one
// would silently take a running one's clients away.
func TestUnixSocketFileOfAnother(t *testing.T) {
	t.Parallel()
	t.Run("stale", func(t *testing.T) {
		path := filepath.Join(program.ShortDir(t), "s")
		killed := bindsUnix(t, path, "")
		killed.Stderr.WaitFor("http on "+path, limit)
		killed.Signal(syscall.SIGKILL)
		killed.Wait(limit)
		if mode(path) == 0 {
			t.Fatal("SIGKILL left no socket file: this test shows nothing")
		}
		p := bindsUnix(t, path, "")
		p.Stderr.WaitFor("http on "+path, limit)
		served(t, path)
		exit(t, endOf(p), 0)
		if _, err := os.Lstat(path); err == nil {
			t.Error("the socket file is still there after the end")
		}
	})
	t.Run("live", func(t *testing.T) {
		path := filepath.Join(program.ShortDir(t), "s")
		listener, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		p := bindsUnix(t, path, "")
		exit(t, p, 1)
		says(t, p.Stderr.String(), "unix:"+path, "another program answers", "stop that, or choose another path")
		if c, err := net.Dial("unix", path); err != nil {
			t.Errorf("the other program's socket is gone: %v", err)
		} else {
			c.Close()
		}
	})
	t.Run("no socket", func(t *testing.T) {
		path := filepath.Join(program.ShortDir(t), "s")
		replace(t, path, []byte("precious"))
		p := bindsUnix(t, path, "")
		exit(t, p, 78)
		says(t, p.Stderr.String(), "unix:"+path, "no socket", "remove it, or choose another path")
		if text, err := os.ReadFile(path); err != nil || string(text) != "precious" {
			t.Errorf("the file holds %q now, %v", text, err)
		}
	})
}

// Without this, of two servers that start at once over a stale socket file, one could remove the other's fresh one.
func TestUnixSocketOfTwoAtOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(program.ShortDir(t), "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	listener.(*net.UnixListener).SetUnlinkOnClose(false)
	listener.Close()
	var all []*program.Process
	for range 4 {
		all = append(all, bindsUnix(t, path, ""))
	}
	var refused atomic.Int32
	for _, p := range all {
		go func() {
			<-p.Ended()
			refused.Add(1)
		}()
	}
	until(t, "all but one are refused", func() bool { return refused.Load() == 3 })
	served(t, path)
	for _, p := range all {
		if text := p.Stderr.String(); !strings.Contains(text, "serving") && !strings.Contains(text, "another program") {
			t.Errorf("one neither serves nor says why not: %s", text)
		}
	}
}
