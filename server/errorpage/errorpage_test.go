package errorpage

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

func TestPageOfEachStatus(t *testing.T) {
	for status := 400; status < 600; status++ {
		r := httptest.NewRequest("GET", "/", nil)
		w := httptest.NewRecorder()
		Write(w, r, status)
		if w.Code != status {
			t.Errorf("status is %d, want %d", w.Code, status)
		}
		title := strings.TrimSpace(strconv.Itoa(status) + " " + http.StatusText(status))
		for _, want := range []string{"<!doctype html>", "<title>" + title + "</title>", "<h1>" + title + "</h1>", "</html>\n"} {
			if !strings.Contains(w.Body.String(), want) {
				t.Errorf("page of %d lacks %q", status, want)
			}
		}
		if strings.Contains(w.Body.String(), "style") || strings.Contains(w.Body.String(), "<script") {
			t.Errorf("page of %d would break under a strict Content-Security-Policy", status)
		}
		for name, want := range map[string]string{
			"Content-Type":   "text/html; charset=utf-8",
			"Content-Length": strconv.Itoa(w.Body.Len()),
			"Cache-Control":  "no-cache",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s of %d is %q, want %q", name, status, got, want)
			}
		}
	}
}

func TestHeadersOfTheFileAreRemoved(t *testing.T) {
	w := httptest.NewRecorder()
	w.Header().Set("ETag", `"x"`)
	w.Header().Set("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
	w.Header().Set("Content-Encoding", "gzip")
	w.Header().Set("Repr-Digest", "sha-256=:x:")
	w.Header().Set("Content-Range", "bytes 0-1/2")
	w.Header().Set("Cache-Control", "max-age=31536000")
	w.Header().Set("Allow", "GET")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	Write(w, httptest.NewRequest("GET", "/", nil), 405)
	for _, gone := range []string{"ETag", "Last-Modified", "Content-Encoding", "Repr-Digest", "Content-Range"} {
		if got := w.Header().Get(gone); got != "" {
			t.Errorf("%s is still %q", gone, got)
		}
	}
	for name, want := range map[string]string{"Allow": "GET", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestContentRangeStaysWithItsStatus(t *testing.T) {
	w := httptest.NewRecorder()
	w.Header().Set("Content-Range", "bytes */5")
	Write(w, httptest.NewRequest("GET", "/", nil), 416)
	if got := w.Header().Get("Content-Range"); got != "bytes */5" {
		t.Errorf("Content-Range is %q", got)
	}
}

func TestHeadHasNoBody(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { Write(w, r, 404) }))
	defer server.Close()
	get, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer get.Body.Close()
	body, err := io.ReadAll(get.Body)
	if err != nil {
		t.Fatal(err)
	}
	head, err := http.Head(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer head.Body.Close()
	if head.StatusCode != 404 || head.ContentLength != int64(len(body)) {
		t.Errorf("HEAD: %d with length %d, GET sends %d bytes", head.StatusCode, head.ContentLength, len(body))
	}
}
