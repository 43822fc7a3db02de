package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// commandLines are the servers whose command lines and configurations bench knows, wherever the program is.
func commandLines() map[string]func(ctx context.Context, name string, found program) (peer, error) {
	return map[string]func(context.Context, string, program) (peer, error){
		"rouse":                   rousePeer,
		"nginx":                   nginxPeer,
		"lighttpd":                lighttpdPeer,
		"apache":                  apachePeer,
		"h2o":                     h2oPeer,
		"caddy":                   caddyPeer,
		"static-web-server":       staticWebServerPeer,
		"static-web-server-cache": staticWebServerCachePeer,
	}
}

func commandLineNames() []string { return slices.Sorted(maps.Keys(commandLines())) }

// parseServer reads NAME=PATH of --server. The name says how the program is to be started; more may follow it, to tell two
// builds apart: nginx-new.
func parseServer(text string) (peerFinder, error) {
	name, path, found := strings.Cut(text, "=")
	if !found || name == "" || path == "" {
		return peerFinder{}, fmt.Errorf("%q is not name=path", text)
	}
	known := ""
	for _, other := range commandLineNames() {
		if strings.HasPrefix(name, other) && len(other) > len(known) {
			known = other
		}
	}
	if known == "" {
		return peerFinder{}, fmt.Errorf("how %q is started is not known: begin the name with one of %s", name, strings.Join(commandLineNames(), ", "))
	}
	return peerFinder{name: name, find: func(ctx context.Context, _ search) (peer, error) {
		program, err := programAt(path)
		if err != nil {
			return peer{}, err
		}
		return commandLines()[known](ctx, name, program)
	}}, nil
}
