package main

import (
	"context"
	_ "embed"
	"path/filepath"
)

//go:embed apache.conf
var apacheConfig string

func findApache(ctx context.Context, s search) (peer, error) {
	found, err := s.find(ctx, "apache2", "apache2-bin")
	if err != nil {
		return peer{}, err
	}
	return apachePeer(ctx, "apache", found)
}

// apachePeer binds its addresses itself: it can inherit them with mod_systemd only, which Debian has not.
func apachePeer(ctx context.Context, name string, found program) (peer, error) {
	version, err := firstLines(ctx, found, 1, "-v")
	return peer{name: name, version: version + found.origin(), roles: webRoles(), binds: true, invoke: invokeApache(found)}, err
}

func invokeApache(found program) invoker {
	return func(o order) (invocation, error) {
		folder := "/usr/lib/apache2/modules"
		if found.unpacked {
			folder = filepath.Join(found.root(), folder)
		}
		modules := map[string]string{}
		for _, name := range []string{"mpm_event", "authz_core", "mime", "filter", "deflate"} {
			modules[name+"_module"] = filepath.Join(folder, "mod_"+name+".so")
		}
		for _, s := range o.sockets {
			if s.role == "https" {
				modules["ssl_module"] = filepath.Join(folder, "mod_ssl.so")
				modules["http2_module"] = filepath.Join(folder, "mod_http2.so")
			}
		}
		path, err := configure(o, "apache.conf", apacheConfig, modules)
		return invocation{args: []string{found.path, "-DFOREGROUND", "-f", path}, env: found.env}, err
	}
}
