package http1

import (
	"bufio"
	"bytes"
	"net/http"
	"reflect"
	"testing"

	"github.com/rouse-server/rouse/server/reply"
)

// FuzzRecognize holds what is recognized against net/http. Seeds beside these stand in testdata: what has been used to smuggle
// requests past proxies.
func FuzzRecognize(f *testing.F) {
	for _, text := range append(plain(), odd()...) {
		f.Add(wire(text))
	}
	f.Add([]byte(chrome + chrome))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r reply.Request
		size, v := Recognize(b, &r)
		switch v {
		case Plain:
			sameAsNetHTTP(t, b, size, &r)
			prefixesArePartial(t, b[:size])
		default:
			if size != 0 {
				t.Errorf("verdict %d, and takes %d bytes", v, size)
			}
		}
	})
}

func prefixesArePartial(t *testing.T, b []byte) {
	t.Helper()
	for n := range b {
		if _, v := Recognize(b[:n], new(reply.Request)); v != Partial {
			t.Fatalf("the first %d bytes of %q: verdict %d", n, b, v)
		}
	}
}

// sameAsNetHTTP holds a plain request, which took size bytes of b, against what net/http reads.
func sameAsNetHTTP(t *testing.T, b []byte, size int, r *reply.Request) {
	t.Helper()
	source := bytes.NewReader(b)
	buffered := bufio.NewReader(source)
	want, err := http.ReadRequest(buffered)
	if err != nil {
		t.Fatalf("plain is %q; net/http: %v", b, err)
	}
	method := http.MethodGet
	if r.Head {
		method = http.MethodHead
	}
	for what, same := range map[string]bool{
		"size":           size == len(b)-source.Len()-buffered.Buffered(),
		"method":         method == want.Method,
		"target":         string(r.Target) == want.RequestURI,
		"protocol":       want.ProtoAtLeast(1, 1) && want.ProtoMajor == 1,
		"host":           string(r.Host) == want.Host,
		"close":          r.Close == want.Close,
		"no body":        want.Body == http.NoBody && want.ContentLength == 0 && want.TransferEncoding == nil && want.Trailer == nil,
		"path alone":     want.URL.Host == "" && want.URL.Scheme == "" && want.URL.Opaque == "" && want.URL.User == nil && want.URL.Fragment == "",
		"nothing unread": !readsMore(want.Header),
	} {
		if !same {
			t.Errorf("%q: %s differs: %+v; net/http: %+v", b, what, r, want)
		}
	}
	sameFields(t, b, r, want.Header)
	sameURL(t, r, want)
}

// readsMore tells whether there is a field that the handler chain or net/http would read, and that a reply.Request cannot tell.
func readsMore(h http.Header) bool {
	for _, name := range odds() {
		if h[http.CanonicalHeaderKey(name)] != nil {
			return true
		}
	}
	return false
}

func sameFields(t *testing.T, b []byte, r *reply.Request, h http.Header) {
	t.Helper()
	for name, got := range told(r) {
		var want []string
		if got != nil {
			want = []string{string(got)}
		}
		if !reflect.DeepEqual(want, h[name]) {
			t.Errorf("%q: %s is %q; net/http: %q", b, name, want, h[name])
		}
	}
}

// sameURL holds the request that the handler chain is given against net/http's.
func sameURL(t *testing.T, r *reply.Request, want *http.Request) {
	t.Helper()
	got, err := r.HTTP(t.Context())
	if err != nil || got == nil {
		t.Fatalf("%q: %v, %v", r.Target, got, err)
	}
	if !reflect.DeepEqual(got.URL, want.URL) || got.Method != want.Method || got.Host != want.Host || got.RequestURI != want.RequestURI || got.Proto != want.Proto {
		t.Errorf("%q: %+v; net/http: %+v", r.Target, got, want)
	}
}

// told are the fields that a reply.Request tells, by their names in an http.Header.
func told(r *reply.Request) map[string][]byte {
	return map[string][]byte{
		"Accept": r.Fields[reply.Accept], "Accept-Encoding": r.Fields[reply.AcceptEncoding], "If-Modified-Since": r.Fields[reply.IfModifiedSince],
		"If-None-Match": r.Fields[reply.IfNoneMatch], "Origin": r.Fields[reply.Origin], "Sec-Fetch-Mode": r.Fields[reply.SecFetchMode],
		"User-Agent": r.UserAgent, "Referer": r.Referer, "Forwarded": r.Forwarded, "X-Forwarded-For": r.XForwardedFor, "X-Real-Ip": r.XRealIP,
	}
}

// odds are the fields that no plain request has.
func odds() []string {
	return []string{
		"Range", "If-Range", "If-Match", "If-Unmodified-Since", "Authorization", "Access-Control-Request-Method", "Access-Control-Request-Headers",
		"Content-Length", "Transfer-Encoding", "Te", "Trailer", "Expect", "Upgrade", "Http2-Settings",
	}
}
