package main

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strings"
	"testing"
)

func packedSize(t *testing.T, text []byte) int {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Len()
}

func TestValidatorIsTheServersOwn(t *testing.T) {
	for _, test := range []struct{ tag, date, want string }{
		{`W/"a"`, "Thu, 01 Jan 2026 00:00:00 GMT", `If-None-Match: W/"a"`},
		{"", "Thu, 01 Jan 2026 00:00:00 GMT", "If-Modified-Since: Thu, 01 Jan 2026 00:00:00 GMT"},
		{"", "", ""},
	} {
		at := testServer(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for name, value := range map[string]string{"ETag": test.tag, "Last-Modified": test.date} {
				if value != "" {
					w.Header().Set(name, value)
				}
			}
		}))
		got, err := validator(t.Context(), at, "/")
		if got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%+v: got %q, %v", test, got, err)
		}
	}
}

func TestReplyLength(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
	if got, err := replyLength([]byte(head + "he")); err != nil || got != len(head)+5 {
		t.Errorf("got %d, %v", got, err)
	}
	for _, bad := range []string{
		"HTTP/1.1 200 OK\r\nContent-Le", strings.Replace(head, "200 OK", "404 Not Found", 1),
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
	} {
		if _, err := replyLength([]byte(bad)); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}
