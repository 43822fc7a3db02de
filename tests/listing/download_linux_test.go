package listing

import (
	"archive/zip"
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

type reply struct {
	status int
	header http.Header
	body   []byte
}

func fetch(t *testing.T, url string) reply {
	t.Helper()
	response, err := program.Client(t, nil).HTTP1.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	return reply{response.StatusCode, response.Header, body}
}

// Archives have to open in other people's programs, and hold what the site shows.
func TestDownloads(t *testing.T) {
	t.Parallel()
	files := guide()
	files["guide/été/日本.txt"] = "utf-8"
	s := newSite(t, files)
	if err := os.Symlink("/etc/passwd", s.root+"/guide/outside"); err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{"guide/", "guide/Alpha.txt", "guide/" + minutes, "guide/" + endless, "guide/beta.md", "guide/gamma.md",
		"guide/images/", "guide/images/x.png", "guide/été/", "guide/été/日本.txt"}, "\n")
	for query, options := range map[string][]string{"?download": {"--gzip"}, "?download=tarzst": {"--zstd"}} {
		archive := fetch(t, s.url+"/guide/"+query)
		path := t.TempDir() + "/archive"
		if err := os.WriteFile(path, archive.body, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := exec.LookPath("zstd"); err != nil && options[0] == "--zstd" {
			continue // tar calls it
		}
		cmd := exec.CommandContext(t.Context(), "tar", append(options, "--quoting-style=literal", "-tf", path)...)
		out, err := cmd.CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("%s has, %v:\n%s\nwant:\n%s", query, err, got, want)
		}
	}
	archive := fetch(t, s.url+"/guide/?download=zip")
	z, err := zip.NewReader(bytes.NewReader(archive.body), int64(len(archive.body)))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range z.File {
		names = append(names, file.Name)
	}
	if got := strings.Join(names, "\n"); got != want {
		t.Errorf("the zip has:\n%s\nwant:\n%s", got, want)
	}
	if got := archive.header.Get("Content-Disposition"); got != `attachment; filename="guide.zip"; filename*=UTF-8''guide.zip` {
		t.Errorf("Content-Disposition is %s", got)
	}
}
