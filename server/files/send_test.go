package files

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rouse-server/rouse/server/tree"
)

// plainConnection records what reaches net/http's own ReadFrom, from where sendfile(2) starts.
type plainConnection struct {
	*httptest.ResponseRecorder
	source io.Reader
}

func (c *plainConnection) ReadFrom(source io.Reader) (int64, error) {
	if limited, ok := source.(*io.LimitedReader); ok {
		c.source = limited.R
	}
	return io.Copy(c.ResponseRecorder, source)
}

func TestFilesReachSendfile(t *testing.T) {
	_, h := site(t, map[string]string{"large.bin": digits(copiedSize + 1), "small.bin": digits(copiedSize)})
	for target, want := range map[string]bool{"/large.bin": true, "/small.bin": false} {
		w := &plainConnection{ResponseRecorder: httptest.NewRecorder()}
		h.ServeHTTP(w, httptest.NewRequest("GET", target, nil))
		if _, isFile := w.source.(*os.File); isFile != want {
			t.Errorf("%s goes out as %T", target, w.source)
		}
		if w.Code != 200 || w.Body.Len() < copiedSize {
			t.Errorf("%s: %d with %d bytes", target, w.Code, w.Body.Len())
		}
	}
}

// A file that grows is sent with the length that was announced.
func TestFileGrowsWhileSent(t *testing.T) {
	dir, h := site(t, nil)
	file := sparse(t, filepath.Join(dir, "a.bin"), 32<<20)
	server := httptest.NewServer(h)
	defer server.Close()
	response, err := server.Client().Get(server.URL + "/a.bin")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := file.Truncate(64 << 20); err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, response.Body)
	if n != 32<<20 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
}

// A file that is cut while it is sent must not look like a whole one, on any protocol, nor hang.
func TestFileCutWhileSent(t *testing.T) {
	for _, protocol := range []string{"http", "https", "h2"} {
		for name, field := range map[string]string{"whole": "", "range": "bytes=1-", "parts": "bytes=0-1000000,2000000-"} {
			t.Run(protocol+" "+name, func(t *testing.T) {
				dir, h := site(t, nil)
				file := sparse(t, filepath.Join(dir, "a.bin"), 64<<20)
				server := httptest.NewUnstartedServer(h)
				server.EnableHTTP2 = protocol == "h2"
				if protocol == "http" {
					server.Start()
				} else {
					server.StartTLS()
				}
				defer server.Close()
				client := server.Client()
				client.Timeout = 20 * time.Second
				request, err := http.NewRequestWithContext(t.Context(), "GET", server.URL+"/a.bin", nil)
				if err != nil {
					t.Fatal(err)
				}
				if field != "" {
					request.Header.Set("Range", field)
				}
				response, err := client.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				defer response.Body.Close()
				if err := file.Truncate(1); err != nil {
					t.Fatal(err)
				}
				n, err := io.Copy(io.Discard, response.Body)
				if err == nil || os.IsTimeout(err) {
					t.Errorf("after %d of %d bytes: %v", n, response.ContentLength, err)
				}
				if protocol == "h2" && !strings.Contains(err.Error(), "INTERNAL_ERROR") { // by RST_STREAM
					t.Errorf("the stream ended with %v", err)
				}
			})
		}
	}
}

func sparse(t *testing.T, name string, size int64) *os.File {
	t.Helper()
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	if err := file.Truncate(size); err != nil {
		t.Fatal(err)
	}
	return file
}

// brokenConnection fails as a connection does whose client went away.
type brokenConnection struct{ discard }

func (brokenConnection) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestClientGoesAway(t *testing.T) {
	_, h := site(t, map[string]string{"a.bin": digits(100), "b.bin": digits(100000)})
	for _, target := range []string{"/a.bin", "/b.bin"} {
		h.ServeHTTP(brokenConnection{discard{http.Header{}}}, httptest.NewRequest("GET", target, nil)) // must not panic
	}
}

// Sizes around the buffers of net/http and our own arrive whole.
func TestSizes(t *testing.T) {
	dir, h := site(t, nil)
	server := httptest.NewServer(h)
	defer server.Close()
	for _, size := range []int{0, 1, 511, 512, 513, 2048, 4096, copiedSize - 1, copiedSize, copiedSize + 1, 70000} {
		want := digits(size)
		write(t, filepath.Join(dir, "a.bin"), want)
		response, err := server.Client().Get(server.URL + "/a.bin")
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.ContentLength != int64(size) || !bytes.Equal(got, []byte(want)) {
			t.Errorf("%d bytes: got %d, length %d, %v", size, len(got), response.ContentLength, err)
		}
	}
}

// A file whose first byte cannot be read is an error that the client is told of, with nothing of the file's header.
func TestFileThatCannotBeRead(t *testing.T) {
	dir := folder(t, map[string]string{"small.txt": digits(100), "large.txt": digits(100 << 10)})
	root, err := tree.Open(dir, tree.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	var lines bytes.Buffer
	options := usual()
	options.Log = slog.New(slog.NewTextHandler(&lines, nil))
	h := New(root, options).(*handler)
	for _, test := range []struct {
		name, method, field, value string
		want                       int
	}{
		{"small.txt", "GET", "", "", 500}, {"large.txt", "GET", "", "", 500}, {"large.txt", "GET", "Range", "bytes=5-9", 500},
		{"large.txt", "GET", "Range", "bytes=5-9,20-30", 500}, {"large.txt", "HEAD", "", "", 200},
	} {
		file, err := os.OpenFile(filepath.Join(dir, test.name), os.O_WRONLY, 0) // to be read it is as good as on a disk that fails
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		info, err := file.Stat()
		if err != nil {
			t.Fatal(err)
		}
		w, r := httptest.NewRecorder(), httptest.NewRequest(test.method, "/"+test.name, nil)
		if test.field != "" {
			r.Header.Set(test.field, test.value)
		}
		p := &response{ResponseWriter: w, request: r, outcome: Outcome{Path: r.URL.Path}}
		h.send(p, r, found{file: file, info: info, name: test.name})
		if w.Code != test.want {
			t.Errorf("%v: %d", test, w.Code)
		}
		if test.want == 500 && (w.Header().Get("ETag") != "" || w.Header().Get("Content-Range") != "" || w.Header().Get("Content-Length") != strconv.Itoa(w.Body.Len()) || !strings.Contains(w.Body.String(), "500")) {
			t.Errorf("%v: %v %q", test, w.Header(), w.Body)
		}
	}
	if n := strings.Count(lines.String(), "answered 500"); n != 1 {
		t.Errorf("told %d times:\n%s", n, &lines)
	}
}
