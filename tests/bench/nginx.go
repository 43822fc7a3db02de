package main

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"text/template"
)

//go:embed nginx.conf
var nginxConfig string

func findNginx(ctx context.Context, f finder) (peer, error) {
	p, _, err := findNginxProgram(ctx, f)
	return p, err
}

func findNginxProgram(ctx context.Context, f finder) (peer, program, error) {
	// Debian's nginx package holds the program from 12 on; before, nginx-light did.
	found, err := f.find(ctx, "nginx", "nginx", "nginx-light")
	if err != nil {
		return peer{}, found, err
	}
	version, err := firstLines(ctx, found, 2, "-V") // the second line names its OpenSSL
	if err != nil {
		return peer{}, found, err
	}
	return peer{name: "nginx", version: version + found.origin(), roles: []string{"http", "https"}, invoke: invokeNginx(found)}, found, nil
}

func invokeNginx(found program) invoker {
	return func(s site, sockets []socket, workers int, dir string) (invocation, error) {
		args, err := configureNginx(found, s, sockets, workers, dir)
		// NGINX is how an old nginx passes its listeners to a new one (src/core/nginx.c, ngx_add_inherited_sockets);
		// each is recognised by its address.
		inherited := "NGINX="
		for i := range sockets {
			inherited += fmt.Sprintf("%d;", firstSocket+i)
		}
		return invocation{args: args, env: append([]string{inherited}, found.env...)}, err
	}
}

// configureNginx writes the configuration for the sockets' addresses into dir, and returns the command line.
func configureNginx(found program, s site, sockets []socket, workers int, dir string) ([]string, error) {
	var listen []string
	tls := false // a certificate would be loaded even where nothing uses it
	for _, socket := range sockets {
		parameters := ""
		if socket.role == "https" {
			parameters, tls = " ssl http2", true
		}
		listen = append(listen, socket.address()+parameters)
	}
	var config bytes.Buffer
	parsed, err := template.New("nginx.conf").Parse(nginxConfig)
	if err == nil {
		err = parsed.Execute(&config, map[string]any{
			"Workers": workers, "Dir": dir, "Root": os.Geteuid() == 0,
			"TLS": tls, "Cert": s.cert, "Key": s.key, "Site": s.root, "Listen": listen,
		})
	}
	path := filepath.Join(dir, "nginx.conf")
	if err == nil {
		err = os.WriteFile(path, config.Bytes(), 0o644)
	}
	if err != nil {
		return nil, fmt.Errorf("writing nginx's configuration: %w", err)
	}
	// Without -e it first opens the log file of an installed nginx.
	return []string{found.path, "-p", dir, "-c", path, "-e", filepath.Join(dir, "error.log")}, nil
}
