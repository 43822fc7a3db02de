package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// site makes a folder with a page, a picture and a small file.
func siteFolder(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"page.html": strings.Repeat("<p>a page</p>\n", 100), "photo.png": strings.Repeat("not text ", 100), "small.css": "p{}",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func names(t testing.TB, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}

func TestPrecompress(t *testing.T) {
	dir := siteFolder(t)
	code, stdout, stderr := rouse(t, nil, "precompress", "--dry-run", dir)
	if code != exitOK || stderr != "" || names(t, dir) != "page.html photo.png small.css" {
		t.Errorf("dry run: %d, %q, %s", code, stderr, names(t, dir))
	}
	expectWords(t, "dry run", stdout, "would write page.html.br", "1 compressible files; would write 1 .zst for 1.4K")

	code, stdout, stderr = rouse(t, nil, "precompress", dir)
	if code != exitOK || stderr != "" || names(t, dir) != "page.html page.html.br page.html.gz page.html.zst photo.png small.css" {
		t.Errorf("%d, %q, %s", code, stderr, names(t, dir))
	}
	if want := regexp.MustCompile(`^1 compressible files; wrote 1 \.zst, 1\.4K became \d+B; wrote 1 \.br, 1\.4K became \d+B; wrote 1 \.gz, 1\.4K became \d+B; took \d.*s\n$`); !want.MatchString(stdout) {
		t.Errorf("%q", stdout)
	}
	body, err := os.Open(filepath.Join(dir, "page.html.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	plain, err := gzip.NewReader(body)
	if err != nil {
		t.Fatal(err)
	}
	got, _ := io.ReadAll(plain)
	if want, _ := os.ReadFile(filepath.Join(dir, "page.html")); !bytes.Equal(got, want) {
		t.Errorf("%d bytes came back of %d", len(got), len(want))
	}

	_, stdout, _ = rouse(t, nil, "precompress", dir)
	expectWords(t, "again", stdout, "3 up to date")
	os.Remove(filepath.Join(dir, "page.html"))
	code, stdout, _ = rouse(t, nil, "precompress", "--remove", "-q", dir)
	if code != exitOK || stdout != "" || names(t, dir) != "photo.png small.css" {
		t.Errorf("remove: %d, %q, %s", code, stdout, names(t, dir))
	}
}

func TestPrecompressOptions(t *testing.T) {
	dir := siteFolder(t)
	code, stdout, stderr := rouse(t, nil, "precompress", "--codings=gzip", "--min-size", "3", "--level", "1", "-j", "1", dir)
	if code != exitOK || names(t, dir) != "page.html page.html.gz photo.png small.css" {
		t.Errorf("%d, %q, %s", code, stderr, names(t, dir))
	}
	expectWords(t, "output", stdout, "2 compressible files", "1 not written, they would be no smaller")
	code, stdout, stderr = rouse(t, nil, "precompress", "--help")
	if code != exitOK || stderr != "" {
		t.Errorf("help: %d, %q", code, stderr)
	}
	expectWords(t, "help", stdout, "usage: rouse precompress", "--level", "--codings", "--min-size", "--jobs", "--remove", "--dry-run", "--quiet")
}

func TestPrecompressRefusals(t *testing.T) {
	t.Chdir(siteFolder(t))
	for args, wants := range map[string][]string{
		"":                      {"one folder", "DIR"},
		"a b":                   {"one folder"},
		"nowhere":               {"nowhere", "no such folder"},
		"page.html":             {"page.html", "not a folder"},
		"--level 12 .":          {"--level 12", "best", "1 to 11"},
		"--level fast .":        {"--level fast", "best"},
		"--codings deflate .":   {"--codings deflate", "zstd, br and gzip"},
		"--codings= .":          {"--codings", "zstd, br and gzip"},
		"--min-size big .":      {"--min-size big", "64K"},
		"-j 0 .":                {"--jobs 0", "from 1 on"},
		"--level":               {"--level", "needs a value"},
		"--dryrun .":            {"--dryrun", "did you mean --dry-run?", "rouse precompress --help"},
		"-x .":                  {"-x", "rouse precompress --help"},
		"--remove=perhaps page": {"--remove perhaps"},
	} {
		code, stdout, stderr := rouse(t, nil, append([]string{"precompress"}, strings.Fields(args)...)...)
		if code != exitUsage || stdout != "" || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%q: %d, %q, %q", args, code, stdout, stderr)
		}
		expectWords(t, args, stderr, wants...)
	}
}

// Each file that fails has its line, and the rest is done.
func TestPrecompressFailures(t *testing.T) {
	dir := siteFolder(t)
	long := strings.Repeat("n", 250) + ".css"
	if err := os.WriteFile(filepath.Join(dir, long), bytes.Repeat([]byte("p{}"), 100), 0o644); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := rouse(t, nil, "precompress", "--codings", "gzip", dir)
	if code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	if len(lines) != 2 || lines[0] != "rouse: precompress "+long+".gz: file name too long" || !strings.HasSuffix(lines[1], ": 1 failed, see above") {
		t.Errorf("%q", lines)
	}
	expectWords(t, "output", stdout, "wrote 1 .gz", "1 failed")
}

func TestPrecompressInterrupted(t *testing.T) {
	dir := siteFolder(t)
	p, err := readPrecompress([]string{dir})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr bytes.Buffer
	err = p.run(ctx, console{stdout: &stdout, stderr: &stderr})
	if err == nil || !strings.Contains(err.Error(), "interrupted") || names(t, dir) != "page.html photo.png small.css" {
		t.Errorf("%v, %s", err, names(t, dir))
	}
}

func TestByteSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0B", 1023: "1023B", 1024: "1.0K", 1536: "1.5K", 102400: "100K", 1 << 20: "1.0M", 5 << 30: "5.0G", 3 << 50: "3072T"} {
		if got := byteSize(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
