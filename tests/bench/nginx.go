package main

import (
	"context"
	_ "embed"
	"fmt"
	"path/filepath"
)

//go:embed nginx.conf
var nginxConfig string

func findNginx(ctx context.Context, s search) (peer, error) {
	p, _, err := findNginxProgram(ctx, s.finder)
	return p, err
}

func findNginxProgram(ctx context.Context, f finder) (peer, program, error) {
	// Debian's nginx package holds the program from 12 on; before, nginx-light did.
	found, err := f.find(ctx, "nginx", "nginx", "nginx-light")
	if err != nil {
		return peer{}, found, err
	}
	p, err := nginxPeer(ctx, "nginx", found)
	return p, found, err
}

func nginxPeer(ctx context.Context, name string, found program) (peer, error) {
	version, err := firstLines(ctx, found, 2, "-V") // the second line names its OpenSSL
	return peer{name: name, version: version + found.origin(), roles: webRoles(), invoke: invokeNginx(found)}, err
}

func invokeNginx(found program) invoker {
	return func(o order) (invocation, error) {
		args, err := configureNginx(found, o)
		// NGINX is how an old nginx passes its listeners to a new one (src/core/nginx.c, ngx_add_inherited_sockets);
		// each is recognised by its address.
		inherited := "NGINX="
		for i := range o.sockets {
			inherited += fmt.Sprintf("%d;", firstSocket+i)
		}
		return invocation{args: args, env: append([]string{inherited}, found.env...)}, err
	}
}

// configureNginx writes the configuration for the sockets' addresses, and returns the command line. It may keep as many files
// open as descriptors are left beside some connections: no workload has many of both.
func configureNginx(found program, o order) ([]string, error) {
	files := fmt.Sprint(max(1000, int(descriptorLimit())-2*few))
	path, err := configure(o, "nginx.conf", nginxConfig, map[string]string{"Files": files})
	if err != nil {
		return nil, err
	}
	// Without -e it first opens the log file of an installed nginx.
	return []string{found.path, "-p", o.dir, "-c", path, "-e", filepath.Join(o.dir, "error.log")}, nil
}
