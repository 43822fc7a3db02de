// Package listing looks at the program's listings and error pages as people do: in a browser, which tells what it shows,
// takes keys, and complains where a page breaks its own Content-Security-Policy.
package listing

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// limit is how long one step of a browser may take on a slow machine.
const limit = 60 * time.Second

// browser is a headless Chromium. It is spoken to with the DevTools protocol over two pipes: JSON, each message ended by NUL.
type browser struct {
	t    *testing.T
	send *os.File

	mu      sync.Mutex
	next    int
	answers map[int]chan message
	events  map[string]func(message) // by session
}

type message struct {
	ID      int             `json:"id,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
	Session string          `json:"sessionId,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   json.RawMessage `json:"error,omitempty"`
}

// newBrowser starts a browser that ends with the test.
func newBrowser(t *testing.T) *browser {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium-headless-shell", "chromium", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("no Chromium: tests/setup.sh installs chromium-headless-shell")
	}
	profile, err := os.MkdirTemp("", "rouse-browser-") // t.TempDir fails where the browser's helpers still write at the end
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(profile) })
	cmd := exec.Command(path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
		"--remote-debugging-pipe", "--user-data-dir="+profile, "about:blank")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Env = append(os.Environ(), "HOME="+profile)
	theirsIn, in := pipe(t)
	out, theirsOut := inverse(pipe(t))
	cmd.ExtraFiles = []*os.File{theirsIn, theirsOut}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirsIn.Close()
	theirsOut.Close()
	b := &browser{t: t, send: in, answers: map[int]chan message{}, events: map[string]func(message){}}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // with all its helpers
		cmd.Wait()
		in.Close()
		out.Close()
	})
	go b.read(out)
	return b
}

func pipe(t *testing.T) (reads, writes *os.File) {
	t.Helper()
	reads, writes, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	return reads, writes
}

func inverse(reads, writes *os.File) (*os.File, *os.File) { return reads, writes }

// read hands out what the browser says until it ends.
func (b *browser) read(out *os.File) {
	lines := bufio.NewReaderSize(out, 1<<20)
	for {
		line, err := lines.ReadBytes(0)
		if err != nil {
			return
		}
		var m message
		if json.Unmarshal(bytes.TrimSuffix(line, []byte{0}), &m) != nil {
			continue
		}
		b.mu.Lock()
		answer, event := b.answers[m.ID], b.events[m.Session]
		delete(b.answers, m.ID)
		b.mu.Unlock()
		switch {
		case m.ID != 0 && answer != nil:
			answer <- m
		case m.ID == 0 && event != nil:
			event(m)
		}
	}
}

// call has the browser do something and puts what it answers into result, unless that is nil.
func (b *browser) call(session, method string, params, result any) {
	b.t.Helper()
	encoded, err := json.Marshal(params)
	if err != nil {
		b.t.Fatal(err)
	}
	answer := make(chan message, 1)
	b.mu.Lock()
	b.next++
	m := message{ID: b.next, Method: method, Params: encoded, Session: session}
	b.answers[m.ID] = answer
	b.mu.Unlock()
	line, _ := json.Marshal(m)
	if _, err := b.send.Write(append(line, 0)); err != nil {
		b.t.Fatalf("%s: %v", method, err)
	}
	select {
	case m = <-answer:
	case <-time.After(limit):
		b.t.Fatalf("%s: no answer from the browser within %v", method, limit)
	}
	if m.Error != nil {
		b.t.Fatalf("%s %s: %s", method, encoded, m.Error)
	}
	if result != nil {
		if err := json.Unmarshal(m.Result, result); err != nil {
			b.t.Fatalf("%s: %v", method, err)
		}
	}
}

// object is what DevTools takes as parameters.
type object map[string]any

// complaint is what a page's console says, and a page may not.
func complaint(m message) string {
	switch m.Method {
	case "Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded":
		return fmt.Sprintf("%s %s", m.Method, strings.TrimSpace(string(m.Params)))
	}
	return ""
}
