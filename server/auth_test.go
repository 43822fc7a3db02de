package server

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/rouse-server/rouse/server/password"
)

// doors is what asks for the password "secret" of the user zoë.
func doors(t testing.TB, log *lines) link {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	users, err := password.Open("zoë:"+string(hash), "")
	if err != nil {
		t.Fatal(err)
	}
	client := func(r *http.Request) netip.Addr {
		address, _ := netip.ParseAddr(r.Header.Get("From"))
		return address
	}
	return authenticated(users, password.NewGuard(), client, slog.New(slog.NewJSONHandler(log, nil)))
}

func basic(credentials string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(credentials))
}

func TestAuthenticated(t *testing.T) {
	t.Parallel()
	door := doors(t, &lines{})
	for _, c := range []struct {
		method, credentials string
		want                int
	}{
		{"GET", "", 401}, {"HEAD", "", 401}, {"OPTIONS", "", 200}, {"OPTIONS", basic("zoë:x"), 200},
		{"GET", basic("zoë:secret"), 200}, {"HEAD", basic("zoë:secret"), 200}, {"GET", strings.Replace(basic("zoë:secret"), "Basic", "bASIC", 1), 200},
		{"GET", basic("zoë:Secret"), 401}, {"GET", basic("zoe:secret"), 401}, {"GET", basic("zoë"), 401}, {"GET", basic(":"), 401},
		{"GET", "Bearer x", 401}, {"GET", "Basic %", 401},
	} {
		r := asking(c.method, "/", "From", "192.0.2.1")
		if c.credentials != "" {
			r.Header.Set("Authorization", c.credentials)
		}
		w := sent(door, saying("in"), r)
		if w.Code != c.want || (w.Body.String() == "in") != (c.want == 200) {
			t.Errorf("%s %q: %d %q", c.method, c.credentials, w.Code, w.Body)
		}
		want := ""
		if c.want == 401 {
			want = `Basic realm="Static Web Server", charset="UTF-8"`
		}
		if got := w.Header().Get("WWW-Authenticate"); got != want {
			t.Errorf("%s %q: WWW-Authenticate: %s", c.method, c.credentials, got)
		}
	}
}

func TestAuthenticatedWithoutUsers(t *testing.T) {
	t.Parallel()
	if w := sent(authenticated(nil, password.NewGuard(), nil, nil), saying("in"), asking("GET", "/")); w.Code != 200 {
		t.Error(w.Code)
	}
}

func TestGuessing(t *testing.T) {
	t.Parallel()
	log := &lines{}
	door := doors(t, log)
	try := func(client, credentials string) *httptest.ResponseRecorder {
		return sent(door, saying("in"), asking("GET", "/", "From", client, "Authorization", basic(credentials)))
	}
	var last *httptest.ResponseRecorder
	for i := range 40 {
		last = try("2001:db8::1", fmt.Sprintf("eve\n%d:%d", i, i))
	}
	if last.Code != 429 || last.Header().Get("Retry-After") != "1" || last.Header().Get("WWW-Authenticate") != "" {
		t.Errorf("%d %v", last.Code, last.Header())
	}
	if w := try("2001:db8::2", "zoë:secret"); w.Code != 429 {
		t.Errorf("a neighbour in the same network: %d", w.Code)
	}
	if w := try("2001:db8:0:1::1", "zoë:secret"); w.Code != 200 {
		t.Errorf("another client: %d", w.Code)
	}
	found := log.entries(t, "password refused")
	if len(found) != 41 || found[0]["remote_addr"] != "2001:db8::1" || found[0]["user"] != "eve\n0" || found[0]["level"] != "WARN" {
		t.Errorf("%d lines: %v", len(found), found)
	}
	if strings.Contains(log.String(), "secret") {
		t.Error("a password is logged")
	}
}

func TestRefusalLogIsBounded(t *testing.T) {
	t.Parallel()
	log := &lines{}
	door := doors(t, log)
	for i := range 300 {
		sent(door, saying("in"), asking("GET", "/", "From", "192.0.2.1", "Authorization", basic(strings.Repeat("x", 5000)+fmt.Sprint(i, ":"))))
	}
	if text := log.String(); len(log.entries(t, "password refused")) > 250 || len(text) > 100_000 {
		t.Errorf("%d bytes", len(text))
	}
}

// A client that leaves is neither logged nor counted.
func TestClientLeavesUnchecked(t *testing.T) {
	t.Parallel()
	log := &lines{}
	door := doors(t, log)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := sent(door, saying("in"), asking("GET", "/", "Authorization", basic("zoë:x")).WithContext(ctx))
	if w.Code == 200 || w.Body.String() == "in" {
		t.Error(w.Code)
	}
	if strings.Contains(log.String(), "refused") {
		t.Error(log.String())
	}
}

// The access log learns who it was.
func TestUserIsRemarked(t *testing.T) {
	t.Parallel()
	reply := &recorder{ResponseWriter: httptest.NewRecorder()}
	doors(t, &lines{})(saying("in")).ServeHTTP(enclosed{reply}, asking("OPTIONS", "/"))
	if reply.user != "" {
		t.Error(reply.user)
	}
	reply = &recorder{ResponseWriter: httptest.NewRecorder()}
	doors(t, &lines{})(http.NotFoundHandler()).ServeHTTP(enclosed{reply}, asking("GET", "/", "Authorization", basic("zoë:secret")))
	if reply.user != "zoë" {
		t.Error(reply.user)
	}
}

type enclosed struct{ http.ResponseWriter }

func (w enclosed) Unwrap() http.ResponseWriter { return w.ResponseWriter }
