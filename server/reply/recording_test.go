package reply

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// wrapped is a writer around another one, as the chain has them.
type wrapped struct{ http.ResponseWriter }

func (w wrapped) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func TestBehind(t *testing.T) {
	c := NewCache(limits())
	w := c.Record(plain("/"), nil, Wanted, newStream())
	if Behind(wrapped{wrapped{w}}) != w || Behind(wrapped{newStream()}) != nil || Mark(wrapped{newStream()}, nil) {
		t.Error("it is not found, or one where none is")
	}
	w.Abandon()
}

// sending answers with a file, of which it announces size bytes, as package files does.
func sending(t *testing.T, name string, size int64, variant any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		file, err := os.Open(name)
		if err != nil {
			t.Error(err)
			return
		}
		defer file.Close()
		w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
		w.Header().Set("Content-Type", "text/plain")
		known := Mark(w, variant)
		w.WriteHeader(200)
		if known || r.Method == "HEAD" {
			return
		}
		limited := &io.LimitedReader{R: file, N: size}
		n, err := w.(io.ReaderFrom).ReadFrom(limited)
		if err != nil || n+limited.N != size {
			t.Errorf("%d bytes, %d are left, %v", n, limited.N, err)
		}
		if limited.N > 0 {
			panic(http.ErrAbortHandler)
		}
	}
}

func TestFiles(t *testing.T) {
	body := strings.Repeat("x", 3000)
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	c := NewCache(limits())
	h := sending(t, name, 3000, 1)
	made, passed := record(t, c, plain("/"), nil, Unknown, h)
	if made != nil || passed.files != 1 || string(passed.body) != body || passed.status != 200 || passed.header.Get("Content-Length") != "3000" {
		t.Errorf("the first time: %v, %d files, %d bytes", made, passed.files, len(passed.body))
	}
	r := plain("/")
	made, passed = record(t, c, r, nil, wantedFor(c, r), h)
	if made == nil || string(made.Body) != body || passed.files != 0 || passed.status != 0 {
		t.Fatalf("the second time: %v, %d files", made, passed.files)
	}
	if err := os.WriteFile(name, []byte("other"), 0o600); err != nil { // what is known is not read
		t.Fatal(err)
	}
	again, finding := ask(t, c, plain("/"), time.Second, h)
	if finding != Due || string(again.Body) != body {
		t.Errorf("the third time: %v, %q", finding, again.Body)
	}
	again, finding = ask(t, c, plain("/"), 2*time.Second, sending(t, name, 5, 2))
	if finding != Due || string(again.Body) != "other" {
		t.Errorf("when it changed: %v, %q", finding, again.Body)
	}
	made, passed = record(t, c, &Request{Head: true, Host: []byte("x"), Target: []byte("/")}, nil, Unknown, h)
	if made == nil || made.Body != nil || !bytes.Contains(made.Head, []byte("Content-Length: 3000\r\n")) {
		t.Errorf("HEAD: %v %v", made, passed)
	}
	if n := check(t, c); n != 1 {
		t.Errorf("%d are kept", n)
	}
}

func TestLongFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, make([]byte, 70_000), 0o600); err != nil {
		t.Fatal(err)
	}
	c := NewCache(limits())
	r := plain("/")
	if made, passed := record(t, c, r, nil, wantedFor(c, r), sending(t, name, 70_000, 1)); made != nil || passed.files != 1 || len(passed.body) != 70_000 {
		t.Errorf("%v, %d files, %d bytes", made, passed.files, len(passed.body))
	}
	check(t, c)
}

func TestFileEndsEarly(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := NewCache(limits())
	r := plain("/")
	w := c.Record(r, nil, wantedFor(c, r), newStream())
	func() {
		defer func() {
			if reason := recover(); reason != http.ErrAbortHandler {
				t.Error(reason)
			}
			w.Abandon()
		}()
		request, err := r.HTTP(t.Context())
		if err != nil {
			t.Error(err)
		}
		sending(t, name, 10, 1)(w, request)
	}()
	if n := check(t, c); n != 0 {
		t.Error("it is kept")
	}
}

// A body that the chain writes although it is known need not be copied, nor compared.
func TestWritesWhatIsKnown(t *testing.T) {
	c := NewCache(limits())
	keep(t, c, plain("/"), 0, func(w http.ResponseWriter, r *http.Request) { Mark(w, 1); io.WriteString(w, "body") })
	first := c.Peek(plain("/"), 0)
	made, finding := ask(t, c, plain("/"), time.Second, func(w http.ResponseWriter, r *http.Request) {
		body, known := Behind(w).Mark(1)
		if !known {
			t.Error("it is not known")
		}
		w.Write(body)
	})
	if finding != Due || made != first {
		t.Errorf("%v, %v", finding, made)
	}
	made, finding = ask(t, c, plain("/"), 2*time.Second, func(w http.ResponseWriter, r *http.Request) {
		body, _ := Behind(w).Mark(1)
		w.Write(body)
		io.WriteString(w, " and more")
	})
	if finding != Due || string(made.Body) != "body and more" || string(first.Body) != "body" {
		t.Errorf("%v, %q, %q", finding, made.Body, first.Body)
	}
}

func TestStreams(t *testing.T) {
	c := NewCache(limits())
	long := strings.Repeat("0123456789", 300)
	for name, h := range map[string]http.HandlerFunc{
		"no length": func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, long[:10])
			io.WriteString(w, long[10:])
		},
		"flushed": func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, long[:10])
			if err := http.NewResponseController(w).Flush(); !errors.Is(err, errors.ErrUnsupported) {
				t.Error(err)
			}
			w.Write([]byte(long[10:]))
		},
		"copied": func(w http.ResponseWriter, r *http.Request) { io.Copy(w, strings.NewReader(long)) },
		"declined": func(w http.ResponseWriter, r *http.Request) {
			Decline(w)
			w.Header().Set("Content-Length", "3000")
			io.WriteString(w, long)
		},
	} {
		made, passed := record(t, c, plain("/"), nil, Unknown, h)
		if made != nil || string(passed.body) != long || passed.status != 200 {
			t.Errorf("%s: %v, status %d, %d bytes", name, made, passed.status, len(passed.body))
		}
	}
	_, passed := record(t, c, plain("/"), nil, Unknown, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</a>")
		w.WriteHeader(103)
		if w.(*Recording).stream.(*stream).status != 103 {
			t.Error("the 103 waits")
		}
		w.WriteHeader(404)
	})
	if passed.status != 404 {
		t.Errorf("after 103: %d", passed.status)
	}
}

// timed is a stream with deadlines.
type timed struct {
	*stream
	read, write time.Time
}

func (t *timed) SetReadDeadline(d time.Time) error  { t.read = d; return nil }
func (t *timed) SetWriteDeadline(d time.Time) error { t.write = d; return io.ErrClosedPipe }

func TestDeadlines(t *testing.T) {
	c := NewCache(limits())
	when := time.Unix(1, 0)
	s := &timed{stream: newStream()}
	control := http.NewResponseController(c.Record(plain("/"), nil, Unknown, s))
	if err := control.SetReadDeadline(when); err != nil || s.read != when {
		t.Error(err, s.read)
	}
	if err := control.SetWriteDeadline(when); err != io.ErrClosedPipe || s.write != when {
		t.Error(err, s.write)
	}
	control = http.NewResponseController(c.Record(plain("/"), nil, Unknown, newStream()))
	if err := errors.Join(control.SetReadDeadline(when), control.SetWriteDeadline(when)); !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
}

func TestBodyErrors(t *testing.T) {
	c := NewCache(limits())
	record(t, c, plain("/"), nil, Unknown, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(304)
		if _, err := io.WriteString(w, "x"); err != http.ErrBodyNotAllowed {
			t.Error(err)
		}
	})
	made, _ := record(t, c, plain("/"), nil, Unknown, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "2")
		if n, err := io.WriteString(w, "xx"); n != 2 || err != nil {
			t.Error(n, err)
		}
	})
	if string(made.Body) != "xx" {
		t.Errorf("%q", made.Body)
	}
}
