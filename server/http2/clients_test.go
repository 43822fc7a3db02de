package http2

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rouse-server/rouse/server/reply"
)

// site answers with a file, a kept reply, or what it was sent.
func site(t testing.TB) Options {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte(strings.Repeat("0123456789", 100_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	o := repeating(t, []byte(strings.Repeat("kept ", 60_000)))
	kept := o.Repeat
	o.Repeat = func(r *reply.Request) *reply.Reply {
		if string(r.Target) != "/kept" {
			return nil
		}
		return kept(r)
	}
	o.Answer = func(w http.ResponseWriter, r *http.Request, plain *reply.Request) {
		switch r.URL.Path {
		case "/file":
			f, err := os.Open(file)
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Content-Length", "1000000")
			io.CopyN(w, f, 1_000_000)
		case "/finished":
			w.(interface{ SendReply(*reply.Reply) error }).SendReply(rendered(t, []byte("finished "+string(plain.Target)), false))
		default:
			io.Copy(w, r.Body)
		}
	}
	return o
}

// Real clients get what they ask for, many at a time.
func TestClients(t *testing.T) {
	t.Parallel()
	address := listen(t, site(t))
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	var all sync.WaitGroup
	for i := range 60 {
		all.Go(func() {
			path, sent, want := "/file", "", 1_000_000
			switch i % 4 {
			case 1:
				path, want = "/kept", 300_000
			case 2:
				path, want = "/finished?x", len("finished /finished?x")
			case 3:
				path, sent, want = "/echo", strings.Repeat("x", 200_000), 200_000
			}
			r, err := http.NewRequest(http.MethodGet, "http://"+address+path, nil)
			if sent != "" {
				r, err = http.NewRequest(http.MethodPost, "http://"+address+path, strings.NewReader(sent))
			}
			if err != nil {
				t.Error(err)
				return
			}
			answer, err := client.Do(r)
			if err != nil {
				t.Error(err)
				return
			}
			defer answer.Body.Close()
			if body, err := io.ReadAll(answer.Body); err != nil || len(body) != want {
				t.Errorf("%s: %d bytes, %v", path, len(body), err)
			}
		})
	}
	all.Wait()
}

// So do those that others have written.
func TestOtherClients(t *testing.T) {
	t.Parallel()
	address := listen(t, site(t))
	for _, one := range []struct{ name, args, want string }{
		{"curl", "-sS --http2-prior-knowledge -w %{http_version}-%{http_code}-%{size_download} -o /dev/null", "2-200-1000000"},
		{"curl", "-sS --http2-prior-knowledge -w %{http_version}-%{http_code}-%{size_upload} -o /dev/null --data-binary @body -H Expect:100-continue", "2-200-1000000"},
		{"nghttp", "-n -s", "200"},
		{"h2load", "-n 100 -c 4 -m 20", "100 succeeded, 0 failed"},
	} {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			path, err := exec.LookPath(one.name)
			if err != nil {
				t.Skip("no", one.name)
			}
			for _, target := range []string{"/file", "/kept"} {
				args := strings.Fields(one.args)
				want := one.want
				switch {
				case strings.Contains(one.args, "@body"):
					body := filepath.Join(t.TempDir(), "body")
					if err := os.WriteFile(body, make([]byte, 1_000_000), 0o600); err != nil {
						t.Fatal(err)
					}
					args = strings.Fields(strings.ReplaceAll(one.args, "@body", "@"+body))
					target = "/echo"
				case target == "/kept":
					want = strings.ReplaceAll(want, "1000000", "300000")
				}
				out, err := exec.CommandContext(t.Context(), path, append(args, fmt.Sprintf("http://%s%s", address, target))...).CombinedOutput()
				if err != nil || !strings.Contains(string(out), want) {
					t.Errorf("%s %v: %v\n%s", one.name, args, err, out)
				}
			}
		})
	}
}
