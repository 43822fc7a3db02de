package main

import (
	"context"
	_ "embed"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

//go:embed lighttpd.conf
var lighttpdConfig string

func findLighttpd(ctx context.Context, s search) (peer, error) {
	found, err := s.find(ctx, "lighttpd", "lighttpd lighttpd-mod-openssl lighttpd-mod-deflate")
	if err != nil {
		return peer{}, err
	}
	return lighttpdPeer(ctx, "lighttpd", found)
}

func lighttpdPeer(ctx context.Context, name string, found program) (peer, error) {
	version, err := firstLines(ctx, found, 1, "-v")
	version, _, _ = strings.Cut(version, " - ")
	return peer{name: name, version: version + found.origin(), roles: webRoles(), invoke: invokeLighttpd(found)}, err
}

func invokeLighttpd(found program) invoker {
	return func(o order) (invocation, error) {
		if err := os.MkdirAll(filepath.Join(o.dir, "deflate"), 0o700); err != nil {
			return invocation{}, err
		}
		// It keeps small files open, and allocates a place for each descriptor that it may have.
		descriptors := strconv.FormatUint(min(descriptorLimit(), uint64(3*o.connections)), 10)
		path, err := configure(o, "lighttpd.conf", lighttpdConfig, map[string]string{"Descriptors": descriptors})
		args := []string{found.path, "-D", "-f", path}
		if found.unpacked {
			args = append(args, "-m", filepath.Join(found.root(), "usr/lib/lighttpd"))
		}
		return invocation{args: args, env: append(systemdSockets(o.sockets), found.env...)}, err
	}
}
