package main

import (
	"context"
	"debug/buildinfo"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

//go:embed Caddyfile
var caddyConfig string

// caddyModule is the program in Go's module proxy.
const (
	caddyModule  = "github.com/caddyserver/caddy/v2/cmd/caddy"
	caddyVersion = "v2.11.9"
)

// findCaddy builds it from its module, once; Debian's is years old.
func findCaddy(ctx context.Context, s search) (peer, error) {
	folder := filepath.Join(s.cache, "caddy-"+caddyVersion)
	found := program{path: filepath.Join(folder, "caddy")}
	if _, err := os.Stat(found.path); err != nil {
		fmt.Fprintf(s.notes, "building Caddy %s into %s: takes minutes, once\n", caddyVersion, folder)
		if err := installModule(ctx, folder, caddyModule+"@"+caddyVersion); err != nil {
			return peer{}, err
		}
	}
	return caddyPeer(ctx, "caddy", found)
}

// installModule compiles a program of another module, with what that module asks for, into a folder.
func installModule(ctx context.Context, folder, what string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	install := exec.CommandContext(ctx, "go", "install", "-trimpath", what)
	install.Dir = filepath.Dir(folder) // no module's own go.mod counts there
	install.Env = append(os.Environ(), "GOBIN="+folder, "CGO_ENABLED=0", "GOFLAGS=")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	if out, err := install.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w: %s", what, err, lastLine(out))
	}
	return nil
}

func caddyPeer(ctx context.Context, name string, found program) (peer, error) {
	version, err := firstLines(ctx, found, 1, "version")
	version, _, _ = strings.Cut(version, " ") // the module's checksum follows
	if built, err := buildinfo.ReadFile(found.path); err == nil {
		version = built.Main.Version + ", " + built.GoVersion
	}
	return peer{name: name, version: version, roles: webRoles(), invoke: invokeCaddy(found)}, err
}

func invokeCaddy(found program) invoker {
	return func(o order) (invocation, error) {
		path, err := configure(o, "Caddyfile", caddyConfig, nil)
		return invocation{args: []string{found.path, "run", "--adapter", "caddyfile", "--config", path}, env: found.env}, err
	}
}
