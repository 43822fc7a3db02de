package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// static-web-server is not in Debian: its binary is given with --server. Versions 2 and 3 name some options differently.

func staticWebServerPeer(ctx context.Context, name string, found program) (peer, error) {
	return staticWebServer(ctx, name, found, false)
}

// staticWebServerCachePeer keeps files in memory, which is stable in version 3 alone.
func staticWebServerCachePeer(ctx context.Context, name string, found program) (peer, error) {
	return staticWebServer(ctx, name, found, true)
}

// staticWebServer serves one socket only, of those that systemd passes.
func staticWebServer(ctx context.Context, name string, found program, cache bool) (peer, error) {
	version, err := firstLines(ctx, found, 1, "--version")
	second := strings.Contains(version, " 2.") || strings.Contains(version, " v2.")
	roles := webRoles()
	if !second {
		roles = append(roles, onlyHTTP2)
	}
	return peer{name: name, version: version, roles: roles, single: true, invoke: invokeStaticWebServer(found, second, cache)}, err
}

// staticWebServerCache keeps all that the workloads ask for but the file of 100 MiB: the most that it allows.
const staticWebServerCache = `
[advanced.memory-cache]
capacity = 100000
ttl = 86400
tti = 3600
max-file-size = 32768
`

func invokeStaticWebServer(found program, second, cache bool) invoker {
	return func(o order) (invocation, error) {
		config := "[general]\n"
		if cache {
			config += staticWebServerCache
		}
		path := filepath.Join(o.dir, "sws.toml")
		if err := os.WriteFile(path, []byte(config), 0o644); err != nil {
			return invocation{}, fmt.Errorf("writing sws.toml: %w", err)
		}
		level := "error"
		if o.logs {
			level = "info" // requests are lines on standard error
		}
		args := []string{found.path, "--config-file", path, "--fd", "0", "--root", o.site.root, "--log-level", level,
			"--cache-control-headers", "false"}
		switch o.sockets[0].role {
		case "https":
			args = append(args, staticWebServerTLS(o.site, second)...)
		case onlyHTTP2:
			args = append(append(args, staticWebServerTLS(o.site, second)...), "--http2", "true")
		}
		return invocation{args: args, env: append(systemdSockets(o.sockets), found.env...)}, nil
	}
}

// staticWebServerTLS: version 2 means TLS by --http2; in version 3 the same word means HTTP/2 and nothing else.
func staticWebServerTLS(s site, second bool) []string {
	if second {
		return []string{"--http2", "true", "--http2-tls-cert", s.cert, "--http2-tls-key", s.key}
	}
	return []string{"--tls", "true", "--tls-cert", s.cert, "--tls-key", s.key}
}
