package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// findRouse takes the binary at path, or builds the one of this module into dir as the product is built.
func findRouse(ctx context.Context, path, dir string, notes io.Writer) (peer, error) {
	var err error
	if path == "" {
		if path, err = buildRouse(ctx, dir, notes); err != nil {
			return peer{}, err
		}
	}
	found, err := programAt(path)
	if err != nil {
		return peer{}, err
	}
	return rousePeer(ctx, "rouse", found)
}

func rousePeer(ctx context.Context, name string, found program) (peer, error) {
	version, err := firstLines(ctx, found, 1, "version")
	return peer{name: name, version: version, program: found.path, roles: webRoles(), invoke: invokeRouse(found.path)}, err
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

// invokeRouse uses nothing that the peers could not: its defaults, sockets as systemd passes them.
func invokeRouse(path string, more ...string) invoker {
	return func(o order) (invocation, error) {
		args := append([]string{path, "serve", "--root", o.site.root, "--log-level", "error"}, more...)
		if o.logs {
			args = append(args, "--access-log", filepath.Join(o.dir, "access.log"), "--access-log-format", "combined")
		}
		for _, socket := range o.sockets {
			args = append(args, "--listen", socket.scheme()+"=systemd:"+socket.role)
			if socket.role == "https" {
				args = append(args, "--tls-cert", o.site.cert, "--tls-key", o.site.key)
			}
		}
		return invocation{args: args, env: systemdSockets(o.sockets)}, nil
	}
}

// laneOff is the name of a rouse that has its fast lane switched off.
const laneOff = "rouse --lane=off"

// findLaneOff is the same rouse with the ordinary path for every request.
func findLaneOff(ctx context.Context, s search) (peer, error) {
	help, err := firstLines(ctx, program{path: s.rouse.program}, 1000, "serve", "--help")
	if err != nil {
		return peer{}, err
	}
	if !strings.Contains(help, "--lane") {
		return peer{}, errors.New("this rouse has no option --lane")
	}
	off := s.rouse
	off.name, off.invoke = laneOff, invokeRouse(off.program, "--lane=off")
	return off, nil
}
