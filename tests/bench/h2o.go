package main

import (
	"context"
	_ "embed"
	"fmt"
	"path/filepath"
	"strings"
)

//go:embed h2o.yaml
var h2oConfig string

func findH2O(ctx context.Context, s search) (peer, error) {
	found, err := s.find(ctx, "h2o", "h2o")
	if err != nil {
		return peer{}, err
	}
	return h2oPeer(ctx, "h2o", found)
}

func h2oPeer(ctx context.Context, name string, found program) (peer, error) {
	version, err := firstLines(ctx, found, 2, "--version")
	return peer{name: name, version: version + found.origin(), roles: webRoles(), invoke: invokeH2O(found)}, err
}

func invokeH2O(found program) invoker {
	return func(o order) (invocation, error) {
		path, err := configure(o, "h2o.yaml", h2oConfig, nil)
		var passed []string // as Server::Starter does
		for i, s := range o.sockets {
			passed = append(passed, fmt.Sprintf("%s=%d", s.address(), firstSocket+i))
		}
		env := append([]string{"SERVER_STARTER_PORT=" + strings.Join(passed, ";")}, found.env...)
		if found.unpacked {
			env = append(env, "H2O_ROOT="+filepath.Join(found.root(), "usr"))
		}
		return invocation{args: []string{found.path, "-m", "worker", "-c", path}, env: env}, err
	}
}
