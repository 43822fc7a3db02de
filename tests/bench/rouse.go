package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// findRouse takes the binary at path, or builds the one of this module into dir as the product is built.
func findRouse(ctx context.Context, path, dir string, notes io.Writer) (peer, error) {
	var err error
	if path == "" {
		path, err = buildRouse(ctx, dir, notes)
	} else {
		path, err = filepath.Abs(path) // it is started in a folder of its own
	}
	if err != nil {
		return peer{}, err
	}
	version, err := firstLines(ctx, program{path: path}, 1, "version")
	if err != nil {
		return peer{}, err
	}
	return peer{name: "rouse", version: version, program: path, roles: []string{"http", "https"}, invoke: invokeRouse(path)}, nil
}

func buildRouse(ctx context.Context, dir string, notes io.Writer) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	path := filepath.Join(dir, "rouse")
	fmt.Fprintln(notes, "building rouse")
	build := exec.CommandContext(ctx, "go", "build", "-o", path, "github.com/rouse-server/rouse/cmd/rouse")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building rouse: %w\n%s\nstart bench inside the repository, or name a binary with --rouse", err, out)
	}
	return path, nil
}

// invokeRouse uses nothing that the peers could not: its defaults, the request log off, sockets as systemd passes them.
func invokeRouse(path string) invoker {
	return func(s site, sockets []socket, _ int, _ string) (invocation, error) {
		args := []string{path, "serve", "--root", s.root, "--log-level", "error"}
		for _, socket := range sockets {
			args = append(args, "--listen", socket.role+"=systemd:"+socket.role)
			if socket.role == "https" {
				args = append(args, "--tls-cert", s.cert, "--tls-key", s.key)
			}
		}
		return invocation{args: args, env: systemdSockets(sockets)}, nil
	}
}
