package main

import (
	"context"
	"embed"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

//go:embed forking/*.c
var forkingSources embed.FS

// The contestants that the targets name.
const (
	bareLoop        = "bare fork and exec"
	rouseInetd      = "rouse inetd"
	behindDatagrams = datagrams + ", and inetd"
)

// findSuperservers returns a loop that does nothing but start processes, its A/A twin, rouse inetd and other inetds.
func findSuperservers(ctx context.Context, f finder, us peer, dir string, missing []absent) ([]peer, []absent) {
	all, service, err := ourSuperservers(ctx, us, dir)
	if err != nil {
		return nil, append(missing, absent{bareLoop, err})
	}
	for _, other := range []struct {
		name, program, debian string
		invoke                func(found program, service string) invoker
	}{
		{"openbsd-inetd", "inetd", "openbsd-inetd", invokeOpenBSDInetd},
		{"xinetd", "xinetd", "xinetd", invokeXinetd},
		{"tcpserver", "tcpserver", "ucspi-tcp-ipv6", invokeTCPServer},
	} {
		found, err := f.find(ctx, other.program, other.debian)
		if err != nil {
			missing = append(missing, absent{other.name, err})
			continue
		}
		all = append(all, peer{
			name: other.name, version: "Debian's " + other.debian + found.origin(), roles: all[reference].roles,
			invoke: other.invoke(found, service), binds: true,
		})
	}
	return all, missing
}

// ourSuperservers also returns the path of the program that all of them start.
func ourSuperservers(ctx context.Context, us peer, dir string) (all []peer, service string, err error) {
	if err := canIsolate(); err != nil {
		return nil, "", err
	}
	loop, service, err := compileForking(ctx, dir)
	if err != nil {
		return nil, "", err
	}
	roles := []string{answers}
	behind := peer{name: rouseInetd, version: us.version, roles: roles, invoke: invokeInetd(us.program, service)}
	return append(withTwin(peer{name: bareLoop, version: "a loop in C", roles: roles, invoke: fixed(loop, service)}), behind, peer{
		name: behindDatagrams, version: us.version, roles: roles, behind: &behind, desk: true,
		relay: invokeDispatch(us.program, "hand-over", ""),
	}), service, nil
}

// compileForking makes the loop and the program that it starts.
func compileForking(ctx context.Context, dir string) (loop, program string, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	compile := func(name string, options ...string) (string, error) {
		source, err := forkingSources.ReadFile("forking/" + name + ".c")
		if err != nil {
			return "", err
		}
		from, to := filepath.Join(dir, name+".c"), filepath.Join(dir, name)
		if err := os.WriteFile(from, source, 0o644); err != nil {
			return "", err
		}
		// Static, so that what is measured is not the dynamic linker.
		options = append(options, "-O2", "-Wall", "-static", "-o", to, from)
		if out, err := exec.CommandContext(ctx, "gcc", options...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("compiling %s: %w: %s; install gcc and libc6-dev", name, err, lastLine(out))
		}
		return to, nil
	}
	if loop, err = compile("loop"); err == nil {
		program, err = compile("answer", "-nostdlib", "-ffreestanding")
	}
	return loop, program, err
}

// fixed is a command line that needs nothing else.
func fixed(args ...string) invoker {
	return func(order) (invocation, error) { return invocation{args: args}, nil }
}

// invokeInetd starts `rouse inetd` on the inherited socket, or on a path where a dispatcher sends connections.
func invokeInetd(path, service string) invoker {
	return func(o order) (invocation, error) {
		args := []string{path, "inetd", "--log-level", "error"}
		if o.sockets[0].addr.Network() == "unix" {
			return invocation{args: append(args, "--listen", "handoff:"+o.sockets[0].address(), "--", service)}, nil
		}
		return invocation{args: append(args, "--", service), env: systemdSockets(o.sockets)}, nil
	}
}

// The other inetds start as many as come: their own limits are lifted, and nothing is logged.

func invokeOpenBSDInetd(found program, service string) invoker {
	return func(o order) (invocation, error) {
		host, port, err := net.SplitHostPort(o.sockets[0].address())
		if err != nil {
			return invocation{}, err
		}
		path := filepath.Join(o.dir, "inetd.conf")
		line := fmt.Sprintf("%s:%s stream tcp4 nowait root %s answer\n", host, port, service)
		if err := os.WriteFile(path, []byte(line), 0o644); err != nil {
			return invocation{}, fmt.Errorf("writing inetd.conf: %w", err)
		}
		return invocation{args: []string{found.path, "-i", "-q", "1024", "-R", "1000000", path}, env: found.env}, nil
	}
}

func invokeXinetd(found program, service string) invoker {
	return func(o order) (invocation, error) {
		host, port, err := net.SplitHostPort(o.sockets[0].address())
		if err != nil {
			return invocation{}, err
		}
		path := filepath.Join(o.dir, "xinetd.conf")
		block := fmt.Sprintf(`service answer
{
	type = UNLISTED
	socket_type = stream
	protocol = tcp
	flags = IPv4
	bind = %s
	port = %s
	wait = no
	user = root
	instances = UNLIMITED
	per_source = UNLIMITED
	cps = 1000000 1
	log_type = FILE /dev/null
	server = %s
}
`, host, port, service)
		if err := os.WriteFile(path, []byte(block), 0o644); err != nil {
			return invocation{}, fmt.Errorf("writing xinetd.conf: %w", err)
		}
		return invocation{args: []string{found.path, "-dontfork", "-pidfile", filepath.Join(o.dir, "pid"), "-f", path}, env: found.env}, nil
	}
}

func invokeTCPServer(found program, service string) invoker {
	return func(o order) (invocation, error) {
		host, port, err := net.SplitHostPort(o.sockets[0].address())
		if err != nil {
			return invocation{}, err
		}
		// No look-ups of names, no ident; -Q: no log (tcpserver(1)).
		args := []string{found.path, "-H", "-R", "-l0", "-Q", "-c1000", "-b1024", host, port, service}
		return invocation{args: args, env: found.env}, nil
	}
}
