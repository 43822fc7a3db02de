package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// findActivators returns nginx by itself, its A/A twin, and the same nginx under `rouse run` and behind the relays that can
// start it on demand without a change to it. Without nginx there are none; what else is not there is added to missing.
func findActivators(ctx context.Context, f finder, us peer, missing []absent) ([]peer, []absent) {
	nginx, found, err := findNginxProgram(ctx, f)
	if err != nil {
		return nil, append(missing, absent{"nginx", err})
	}
	nginx.roles = []string{"http"}
	all := append(withTwin(nginx), peer{
		name: "nginx under rouse run", version: us.version, roles: nginx.roles,
		invoke: invokeRouseRun(us.program, found, "--lazy=false"),
		asleep: invokeRouseRun(us.program, found, "--lazy=true"),
	})
	for _, relay := range relays() {
		p, err := relay.find(ctx, f)
		if err != nil {
			missing = append(missing, absent{relay.name, err})
			continue
		}
		p.name, p.roles, p.behind = "nginx behind "+relay.name, nginx.roles, &nginx
		all = append(all, p)
	}
	return all, missing
}

// relay is what copies connections to another server.
type relay struct {
	name string
	find func(context.Context, finder) (peer, error)
}

func relays() []relay {
	return []relay{{"systemd-socket-proxyd", findSocketProxyd}, {"HAProxy (TCP)", findHAProxy}}
}

// invokeRouseRun starts nginx as it would be without rouse: it binds the address of the socket by itself. Rouse stays beside
// it and counts its connections once a second, which is part of the cost; by default it would see that nginx can be told of
// sockets, and leave its place to it.
func invokeRouseRun(path string, nginx program, lazy string) invoker {
	return func(o order) (invocation, error) {
		args, err := configureNginx(nginx, o)
		if err != nil {
			return invocation{}, err
		}
		return invocation{
			args: append([]string{path, "run", "--mode", "listener", "--idle-stop", "10m", lazy, "--"}, args...),
			env:  append(systemdSockets(o.sockets), nginx.env...),
			// To know that it sleeps; nothing is waited for where it does not.
			notify: lazy == "--lazy=true",
		}, nil
	}
}

// systemdSockets is what systemd tells a service of the sockets that it passes (sd_listen_fds(3)). LISTEN_PID is added by
// launch, which alone knows it.
func systemdSockets(sockets []socket) []string {
	var names []string
	for _, socket := range sockets {
		names = append(names, socket.role)
	}
	return []string{"LISTEN_FDS=" + strconv.Itoa(len(sockets)), "LISTEN_FDNAMES=" + strings.Join(names, ":")}
}

// findSocketProxyd looks where systemd puts what is no command: systemd-socket-proxyd(8).
func findSocketProxyd(ctx context.Context, f finder) (peer, error) {
	var found program
	for _, folder := range []string{"/usr/lib/systemd", "/lib/systemd"} {
		if path, err := exec.LookPath(filepath.Join(folder, "systemd-socket-proxyd")); err == nil {
			found.path = path
			break
		}
	}
	if found.path == "" {
		return peer{}, fmt.Errorf("not found in /usr/lib/systemd: install systemd")
	}
	version, err := firstLines(ctx, found, 1, "--version")
	if err != nil {
		return peer{}, err
	}
	return peer{version: version, relay: func(to socket) invoker {
		return func(o order) (invocation, error) {
			return invocation{args: []string{found.path, to.address()}, env: systemdSockets(o.sockets)}, nil
		}
	}}, nil
}

// findHAProxy looks for HAProxy, which copies connections without looking into them (mode tcp).
func findHAProxy(ctx context.Context, f finder) (peer, error) {
	found, err := f.find(ctx, "haproxy", "haproxy")
	if err != nil {
		return peer{}, err
	}
	version, err := firstLines(ctx, found, 1, "-v")
	if err != nil {
		return peer{}, err
	}
	return peer{version: version + found.origin(), relay: func(to socket) invoker {
		return func(o order) (invocation, error) {
			path := filepath.Join(o.dir, "haproxy.cfg")
			if err := os.WriteFile(path, []byte(haproxyConfig(o.sockets, to, o.workers)), 0o644); err != nil {
				return invocation{}, fmt.Errorf("writing HAProxy's configuration: %w", err)
			}
			return invocation{args: []string{found.path, "-db", "-f", path}, env: found.env}, nil
		}
	}}, nil
}

// haproxyConfig takes connections from the inherited descriptors (bind fd@N) and copies them to one server.
func haproxyConfig(sockets []socket, to socket, threads int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "global\n\tmaxconn 1000\n\tnbthread %d\n", threads)
	b.WriteString("defaults\n\tmode tcp\n\ttimeout connect 10s\n\ttimeout client 5m\n\ttimeout server 5m\nlisten relay\n")
	for i := range sockets {
		fmt.Fprintf(&b, "\tbind fd@%d\n", firstSocket+i)
	}
	fmt.Fprintf(&b, "\tserver behind %s\n", to.address())
	return b.String()
}
