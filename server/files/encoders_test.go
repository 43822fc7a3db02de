package files

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rouse-server/rouse/server/tree"
)

// While as many bodies are made as may be, others wait for their turn, as long as their client waits; streams do without.
func TestEncodersAreBounded(t *testing.T) {
	text := strings.Repeat("hello, world. ", 100)
	dir := folder(t, map[string]string{"a.txt": text, "b.txt": text})
	o := compressing()
	o.Encoders = NewEncoders(1)
	done, err := o.Encoders.wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	h := serving(t, dir, tree.Options{}, o)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	reply := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(ctx, "GET", "/a.txt", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	h.ServeHTTP(reply, r)
	if reply.Header().Get("Content-Encoding") != "" || reply.Body.String() != text {
		t.Errorf("without a place: %v", reply.Header())
	}
	waiting := make(chan *httptest.ResponseRecorder)
	go func() { waiting <- ask(h, "GET", "/b.txt", "Accept-Encoding", "gzip") }()
	done()
	if reply := <-waiting; decode(t, reply.Header().Get("Content-Encoding"), reply.Body.Bytes()) != text {
		t.Errorf("with a place: %v", reply.Header())
	}
}

func TestStreamsAreBounded(t *testing.T) {
	text := strings.Repeat("hello, world. ", 100)
	o := compressing()
	o.Cache, o.Encoders = nil, NewEncoders(1)
	h := serving(t, folder(t, map[string]string{"a.txt": text}), tree.Options{}, o)
	plainTag := ask(h, "GET", "/a.txt").Header().Get("Etag")
	var places []func()
	for range streamsForEach {
		done, ok := o.Encoders.stream()
		if !ok {
			t.Fatal("there are fewer places")
		}
		places = append(places, done)
	}
	for range 2 {
		reply := ask(h, "GET", "/a.txt", "Accept-Encoding", "gzip")
		header := reply.Header()
		if header.Get("Content-Encoding") != "" || reply.Body.String() != text || header.Get("Etag") != plainTag || header.Get("Content-Length") != "1400" || header.Get("Accept-Ranges") != "bytes" || header.Get("Vary") != "accept-encoding" {
			t.Errorf("without a place: %v", header)
		}
	}
	places[0]()
	for range 2 { // each gives its place back
		reply := ask(h, "GET", "/a.txt", "Accept-Encoding", "gzip")
		if decode(t, reply.Header().Get("Content-Encoding"), reply.Body.Bytes()) != text {
			t.Errorf("with a place: %v", reply.Header())
		}
	}
	broken := httptest.NewRequest("GET", "/a.txt", nil)
	broken.Header.Set("Accept-Encoding", "gzip")
	h.ServeHTTP(gone{httptest.NewRecorder()}, broken)
	if _, ok := o.Encoders.stream(); !ok {
		t.Error("a client that went away has taken a place along")
	}
}

// gone is a client that takes nothing.
type gone struct{ http.ResponseWriter }

func (gone) Write([]byte) (int, error) { return 0, http.ErrHandlerTimeout }
