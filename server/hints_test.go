package server

import (
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"testing"
)

// hinted is what a client was told: each 103, and the final response's headers.
type hinted struct {
	interim []http.Header
	final   http.Header
}

// fetchHinted asks a server with early hints, over HTTP/2 or HTTP/1.1.
func fetchHinted(t *testing.T, http2 bool, method, mode string) hinted {
	t.Helper()
	links := func(r *http.Request) []string {
		if r.URL.Path != "/page" {
			return nil
		}
		return []string{"</style.css>; rel=preload; as=style", "</app.js>; rel=modulepreload"}
	}
	content := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "4")
		if r.Method != http.MethodHead {
			w.Write([]byte("page"))
		}
	})
	outer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Frame-Options", "DENY")
		earlyHints(links)(content).ServeHTTP(&recorder{ResponseWriter: w}, r)
	})
	server := httptest.NewUnstartedServer(outer)
	server.EnableHTTP2 = http2
	server.StartTLS()
	defer server.Close()
	request, err := http.NewRequestWithContext(t.Context(), method, server.URL+"/page", nil)
	if err != nil {
		t.Fatal(err)
	}
	if mode != "" {
		request.Header.Set("Sec-Fetch-Mode", mode)
	}
	var got hinted
	trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
		if code != http.StatusEarlyHints {
			t.Errorf("interim response %d", code)
		}
		got.interim = append(got.interim, http.Header(header).Clone())
		return nil
	}}
	response, err := server.Client().Do(request.WithContext(httptrace.WithClientTrace(request.Context(), trace)))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if want := map[bool]int{true: 2, false: 1}[http2]; response.ProtoMajor != want || response.StatusCode != http.StatusOK {
		t.Fatalf("HTTP/%d, status %d", response.ProtoMajor, response.StatusCode)
	}
	got.final = response.Header
	return got
}

func TestEarlyHints(t *testing.T) {
	t.Parallel()
	want := []string{"</style.css>; rel=preload; as=style", "</app.js>; rel=modulepreload"}
	for name, test := range map[string]struct {
		http2  bool
		method string
		mode   string
		hinted bool
	}{
		"navigation":                 {true, "GET", "navigate", true},
		"no browser":                 {true, "GET", "", true},
		"script":                     {true, "GET", "cors", false},
		"HEAD":                       {true, "HEAD", "", false},
		"navigation over HTTP/1.1":   {false, "GET", "navigate", false},
		"nobody knows, and HTTP/1.1": {false, "GET", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := fetchHinted(t, test.http2, test.method, test.mode)
			if hinted := len(got.interim) == 1; hinted != test.hinted || len(got.interim) > 1 {
				t.Errorf("%d early hints, want any: %v", len(got.interim), test.hinted)
			}
			for _, interim := range got.interim {
				if !slices.Equal(interim["Link"], want) || len(interim) != 1 {
					t.Errorf("103 with %v", interim)
				}
			}
			if !slices.Equal(got.final["Link"], want) || got.final.Get("X-Frame-Options") != "DENY" {
				t.Errorf("final response with %v", got.final)
			}
		})
	}
}

func TestNoEarlyHintsForOtherPages(t *testing.T) {
	t.Parallel()
	reply := httptest.NewRecorder()
	earlyHints(func(*http.Request) []string { return nil })(http.NotFoundHandler()).ServeHTTP(reply, httptest.NewRequest("GET", "/", nil))
	if reply.Code != http.StatusNotFound || reply.Header()["Link"] != nil {
		t.Errorf("%d %v", reply.Code, reply.Header())
	}
}
