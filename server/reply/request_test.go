package reply

import (
	"context"
	"net/http"
	"net/url"
	"reflect"
	"testing"
)

func TestHTTPRequest(t *testing.T) {
	type key struct{}
	ctx := context.WithValue(t.Context(), key{}, "here")
	r := plain("/a%20b?c=d", Accept, "text/html", AcceptEncoding, "", IfModifiedSince, "date", Origin, "https://x", SecFetchMode, "cors")
	r.UserAgent, r.XForwardedFor = []byte("x"), []byte("1.1.1.1")
	got, err := r.HTTP(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if got.Method != "GET" || got.Host != "example.com" || got.RequestURI != "/a%20b?c=d" || got.URL.Path != "/a b" || got.URL.RawQuery != "c=d" ||
		got.Proto != "HTTP/1.1" || !got.ProtoAtLeast(1, 1) || got.ProtoMajor != 1 || got.Body != http.NoBody || got.ContentLength != 0 || got.Context().Value(key{}) != "here" {
		t.Errorf("%+v", got)
	}
	want := http.Header{"Accept": {"text/html"}, "Accept-Encoding": {""}, "If-Modified-Since": {"date"}, "Origin": {"https://x"}, "Sec-Fetch-Mode": {"cors"}}
	if !reflect.DeepEqual(got.Header, want) {
		t.Errorf("%q", got.Header)
	}
	got.Header.Add("Accept", "more") // which must not run into the next one's place
	if got.Header.Get("Accept-Encoding") != "" {
		t.Errorf("%q", got.Header)
	}

	r.Scope, r.Head, r.Fields[IfNoneMatch] = HTTP2, true, []byte("tag")
	if got, err = r.HTTP(ctx); err != nil || got.Method != "HEAD" || got.Proto != "HTTP/2.0" || got.ProtoMajor != 2 || got.ProtoMinor != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	if got.Header["If-None-Match"][0] != "tag" || got.Header["If-Modified-Since"] != nil {
		t.Errorf("%q", got.Header)
	}
	for _, target := range []string{"/%", "/\x00", "/\x7f"} {
		if _, err := plain(target).HTTP(ctx); err == nil {
			t.Errorf("%q is a target", target)
		}
	}
}

func FuzzPlainURL(f *testing.F) {
	for _, target := range []string{"/", "/a/b.html", "//host/a", "/?", "/?a", "/a?b?c", "/a??", "/a:b", "/a%41", "/a;b", "/[x]", "/~a_b-c.d", "*", "", "/\x00", "/ä", "/a b", "/?a b", "/?\x7f", "/#x", "/?#x", "/a?b=%zz"} {
		f.Add(target)
	}
	f.Fuzz(func(t *testing.T, target string) {
		var got url.URL
		if !plainURL(&got, target) {
			return
		}
		want, err := url.ParseRequestURI(target)
		if err != nil || got != *want {
			t.Errorf("%q: %+v, want %+v, %v", target, got, want, err)
		}
	})
}

func BenchmarkHTTPRequest(b *testing.B) {
	r := plain("/some/folder/file.html", Accept, "text/html", AcceptEncoding, "gzip, br")
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.HTTP(ctx); err != nil {
			b.Fatal(err)
		}
	}
}
