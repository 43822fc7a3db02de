package main

import (
	"context"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestPopularFilesFollowZipf(t *testing.T) {
	const files, requests = 1000, 100_000
	drawn := popular(files, requests)
	if !slices.Equal(drawn[:100], popular(files, 100)) {
		t.Error("another order the second time")
	}
	counts := make([]int, files)
	for _, n := range drawn {
		counts[n]++
	}
	slices.SortFunc(counts, func(a, b int) int { return b - a })
	// 1/1 + 1/2 + … + 1/1000 is 7.485.
	if first := float64(counts[0]) / requests * 7.485; first < 0.95 || first > 1.05 {
		t.Errorf("the most popular is asked for %d times", counts[0])
	}
	if second := float64(counts[1]) / float64(counts[0]); second < 0.45 || second > 0.55 {
		t.Errorf("the second is asked for %.2f times as often", second)
	}
}

func TestSmallFiles(t *testing.T) {
	s := site{root: t.TempDir()}
	for _, count := range []int{3, 1002, 10} {
		if err := s.smallFiles(count); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range []int{0, 999, 1001} {
		info, err := os.Stat(filepath.Join(s.root, smallFile(n)))
		if err != nil || info.Size() < 1024 || info.Size() > 10<<10 {
			t.Errorf("file %d: %v, %v", n, info, err)
		}
	}
}

// testServer serves a folder by net/http, and ends with the test.
func testServer(t *testing.T, handler http.Handler) socket {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return socket{role: "http", addr: listener.Addr()}
}

func TestAskForEachFile(t *testing.T) {
	s := site{root: t.TempDir()}
	if err := s.smallFiles(50); err != nil {
		t.Fatal(err)
	}
	seen := make(chan string, 100)
	files := http.FileServer(http.Dir(s.root))
	at := testServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- r.URL.Path
		files.ServeHTTP(w, r)
	}))
	got := askForEach(t.Context(), at, rand.Perm(50), 8)
	if got.requests != 50 || got.faults != "" || got.bytes < 50<<10 || got.p99 <= 0 {
		t.Errorf("%+v", got)
	}
	close(seen)
	var paths []string
	for path := range seen {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	if len(slices.Compact(paths)) != 50 {
		t.Errorf("%d paths", len(paths))
	}
}

func TestAskForAMissingFile(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond) // it would ask again for longer
	defer cancel()
	if got := askForEach(ctx, testServer(t, http.NotFoundHandler()), []int{0, 1}, 1); got.faults == "" {
		t.Errorf("%+v", got)
	}
}

func TestPathScript(t *testing.T) {
	b := bench{dir: t.TempDir()}
	script, err := b.pathScript(10)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(script)
	if err != nil || !strings.Contains(string(text), filepath.Join(b.dir, "paths-10.txt")) || strings.Contains(string(text), "@LIST@") {
		t.Errorf("%v\n%s", err, text)
	}
	if again, err := b.pathScript(10); err != nil || again != script {
		t.Errorf("%s, %v", again, err)
	}
}

func TestScriptIsAsHardToCompressAsThoseOfTheWeb(t *testing.T) {
	text := script(100 << 10)
	packed := packedSize(t, text)
	if share := float64(packed) / float64(len(text)); len(text) != 100<<10 || share < 0.25 || share > 0.5 {
		t.Errorf("%d bytes become %d", len(text), packed)
	}
}
