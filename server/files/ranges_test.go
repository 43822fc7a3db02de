package files

import (
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func digits(n int) string { return strings.Repeat("0123456789", n/10+1)[:n] }

func TestRanges(t *testing.T) {
	const length = 1000
	body := digits(length)
	_, h := site(t, map[string]string{"a.css": body, "empty.css": ""})
	for field, want := range map[string]string{
		"bytes=0-0":                    "bytes 0-0/1000",
		"bytes=100-200":                "bytes 100-200/1000",
		"bytes=100-100000":             "bytes 100-999/1000",
		"bytes=100-":                   "bytes 100-999/1000",
		"bytes=-100":                   "bytes 900-999/1000",
		"bytes=-1001":                  "bytes 0-999/1000",
		"bytes=100-1000":               "bytes 100-999/1000",
		"bytes=0-":                     "bytes 0-999/1000",
		"bytes=999-":                   "bytes 999-999/1000",
		"Bytes=1-2":                    "bytes 1-2/1000",
		"bytes= 1-2 , ":                "bytes 1-2/1000",
		"bytes=1-2,2000-":              "bytes 1-2/1000",
		"bytes=0-4,5-9":                "bytes 0-9/1000",
		"bytes=0-9,3-5":                "bytes 0-9/1000",
		"bytes=7-9,0-3,2-8":            "bytes 0-9/1000",
		"bytes=5-99999999999999999999": "bytes 5-999/1000",
		"bytes=-99999999999999999999":  "bytes 0-999/1000",
	} {
		w := ask(h, "GET", "/a.css", "Range", field)
		if w.Code != 206 {
			t.Errorf("%s: %d", field, w.Code)
			continue
		}
		var first, last int
		fmt.Sscanf(want, "bytes %d-%d/", &first, &last)
		wantHeader(t, w, "Content-Range", want, "Content-Length", fmt.Sprint(last-first+1), "Content-Type", "text/css", "Accept-Ranges", "bytes")
		if w.Body.String() != body[first:last+1] {
			t.Errorf("%s: wrong bytes", field)
		}
	}
	for _, field := range []string{
		"bytes=100-10", "bytes=xyx-abc", "bytes=", "bytes", "bytes=-", "bytes=--1", "bytes=+1-2", "bytes=1", "bytes=1-2-3", "bytes=1-2,x", "bytes=0x1-2",
		"bytes=5000-", "bytes=1000-", "bytes=1000-2000,3000-", "bytes=-0", "bytes=99999999999999999999-", "bytes=,",
	} {
		w := ask(h, "GET", "/a.css", "Range", field)
		if w.Code != 416 || w.Body.Len() > 0 {
			t.Errorf("%s: %d %q", field, w.Code, w.Body)
		}
		wantHeader(t, w, "Content-Range", "bytes */1000", "Content-Length", "0", "Content-Type", "", "ETag", "", "Last-Modified", "")
	}
	for _, field := range []string{"lines=1-2", "none", "bytes=" + strings.Repeat("0-0,", 300) + "1-1", "bytes=" + every(2, 200)} {
		w := ask(h, "GET", "/a.css", "Range", field)
		if w.Code != 200 || w.Body.String() != body {
			t.Errorf("%.40s: %d, want the whole file", field, w.Code)
		}
		wantHeader(t, w, "Content-Range", "")
	}
	for _, field := range []string{"bytes=0-0", "bytes=5000-", "bytes=x", "bytes=0-0,5-9"} {
		w := ask(h, "HEAD", "/a.css", "Range", field)
		if w.Code != 200 {
			t.Errorf("HEAD %s: %d", field, w.Code)
		}
		wantHeader(t, w, "Content-Range", "", "Content-Length", "1000")
	}
	for _, field := range []string{"bytes=0-", "bytes=-5", "bytes=7-"} {
		w := ask(h, "GET", "/empty.css", "Range", field)
		if w.Code != 200 || w.Body.Len() > 0 {
			t.Errorf("empty file, %s: %d %q", field, w.Code, w.Body)
		}
		wantHeader(t, w, "Content-Range", "", "Content-Length", "0")
	}
}

// every is n ranges of one byte each, a step apart.
func every(step, n int) string {
	var set []string
	for i := range n {
		set = append(set, fmt.Sprintf("%d-%d", i*step, i*step))
	}
	return strings.Join(set, ",")
}

func TestSeveralRanges(t *testing.T) {
	body := digits(20000)
	_, h := site(t, map[string]string{"a.css": body})
	server := httptest.NewServer(h)
	defer server.Close()
	for field, want := range map[string][]string{
		"bytes=0-0,5-9":            {"bytes 0-0/20000", "bytes 5-9/20000"},
		"bytes=500-599,0-9,-5":     {"bytes 500-599/20000", "bytes 0-9/20000", "bytes 19995-19999/20000"},
		"bytes=10-14,0-1,12-20":    {"bytes 10-20/20000", "bytes 0-1/20000"},
		"bytes=0-9000,10000-19500": {"bytes 0-9000/20000", "bytes 10000-19500/20000"},
	} {
		request, err := http.NewRequestWithContext(t.Context(), "GET", server.URL+"/a.css", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Range", field)
		response, err := server.Client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		mediaType, parameters, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
		if response.StatusCode != 206 || mediaType != "multipart/byteranges" || response.ContentLength < 0 {
			t.Errorf("%s: %d %s, length %d", field, response.StatusCode, mediaType, response.ContentLength)
		}
		parts := multipart.NewReader(response.Body, parameters["boundary"])
		for _, contentRange := range want {
			part, err := parts.NextPart()
			if err != nil {
				t.Fatalf("%s: %v", field, err)
			}
			got, err := io.ReadAll(part)
			if err != nil {
				t.Fatal(err)
			}
			var first, last int
			fmt.Sscanf(contentRange, "bytes %d-%d/", &first, &last)
			if part.Header.Get("Content-Range") != contentRange || part.Header.Get("Content-Type") != "text/css" || string(got) != body[first:last+1] {
				t.Errorf("%s: part %v with %d bytes, want %s", field, part.Header, len(got), contentRange)
			}
		}
		if _, err := parts.NextPart(); err != io.EOF {
			t.Errorf("%s: after the last part comes %v", field, err)
		}
		response.Body.Close()
	}
}

func TestRequestIsNotChanged(t *testing.T) {
	_, h := site(t, map[string]string{"a.css": "0123456789"})
	r := httptest.NewRequest("HEAD", "/a.css", nil)
	r.Header.Set("Range", "bytes=0-0")
	h.ServeHTTP(httptest.NewRecorder(), r)
	if r.Header.Get("Range") != "bytes=0-0" {
		t.Error("the Range field is gone")
	}
}

func FuzzByteRanges(f *testing.F) {
	for _, seed := range []string{"0-", "-5", "0-0,5-9", "3-2", "1-2,2-3,9-", "-0", "x", "", "99999999999999999999-", "0-5,,7-8"} {
		f.Add(seed, int64(10))
	}
	f.Fuzz(func(t *testing.T, set string, size int64) {
		if size <= 0 {
			return
		}
		ranges, _ := parseRanges(set, size)
		var sum int64
		for i, b := range ranges {
			if b.first < 0 || b.first > b.last || b.last >= size {
				t.Fatalf("%q of %d gives %v", set, size, b)
			}
			sum += b.last - b.first + 1
			for _, other := range ranges[:i] {
				if b.first <= other.last+1 && other.first <= b.last+1 {
					t.Fatalf("%q of %d: %v and %v were not joined", set, size, other, b)
				}
			}
		}
		if sum < 0 || sum > size {
			t.Fatalf("%q of %d gives %d bytes", set, size, sum)
		}
	})
}
