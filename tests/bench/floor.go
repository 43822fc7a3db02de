package main

import (
	"context"
	_ "embed"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

//go:embed floor/floor.c
var floorSource []byte

// floorName is the peer that shows how far down the cost of a request could go.
const floorName = "floor"

// floorMost is the size of the largest page that the floor serves: it writes a reply by one call.
const floorMost = 64 << 10

// findFloor compiles a server that knows nothing of HTTP but where the head of a request ends, and has its replies ready. The same
// in Go cost more when other programs wanted the CPU too: its runtime looks after a thread that waits.
func findFloor(ctx context.Context, _ finder, dir string) (peer, error) {
	path, err := compileC(ctx, floorSource, filepath.Join(dir, floorName))
	if err != nil {
		return peer{}, err
	}
	return peer{
		name: floorName, version: "epoll, read and write of the same bytes in C, and nothing else",
		roles: []string{"http"}, workloads: []string{"plain-1k", "plain-10k"}, invoke: invokeFloor(path),
	}, nil
}

// compileC makes the program to of a source in C, and returns its path.
func compileC(ctx context.Context, source []byte, to string, options ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	from := to + ".c"
	if err := os.WriteFile(from, source, 0o644); err != nil {
		return "", err
	}
	// Static, so that what is measured is not the dynamic linker.
	options = append(options, "-O2", "-Wall", "-static", "-o", to, from)
	if out, err := exec.CommandContext(ctx, "gcc", options...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("compiling %s: %w: %s; install gcc and libc6-dev", filepath.Base(to), err, lastLine(out))
	}
	return to, nil
}

func invokeFloor(path string) invoker {
	return func(o order) (invocation, error) {
		args := []string{path}
		for _, page := range slices.Sorted(maps.Keys(o.site.pages)) {
			content := o.site.pages[page]
			if len(content) > floorMost {
				continue
			}
			file := filepath.Join(o.dir, filepath.Base(page)+".reply")
			if err := os.WriteFile(file, append(floorHead(len(content)), content...), 0o600); err != nil {
				return invocation{}, fmt.Errorf("writing the floor's replies: %w", err)
			}
			args = append(args, page, file)
		}
		return invocation{args: args}, nil
	}
}

// floorHead has the fields that rouse gives a page, with made up values.
func floorHead(size int) []byte {
	return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\n"+
		"Accept-Ranges: bytes\r\n"+
		"Cache-Control: max-age=86400\r\n"+
		"Content-Length: %d\r\n"+
		"Content-Type: text/html; charset=utf-8\r\n"+
		"Etag: \"0123456789abcdefghijkl\"\r\n"+
		"Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n"+
		"Vary: accept-encoding\r\n"+
		"Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n\r\n", size)
}
