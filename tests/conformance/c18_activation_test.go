package conformance

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rouse-server/rouse/tests/program"
)

func activated() []point {
	points := append(descriptors(), otherActivations()...)
	for i := range points {
		points[i].server = programs()
	}
	return points
}

// descriptors are the ways to pass one.
func descriptors() []point {
	return []point{
		{number: "C18.1", title: "listening socket on stdin, --fd 0", do: func(a *asker) {
			run, address := a.onStdin("--fd", "0")
			a.served(run, address)
		}},
		{number: "C18.1", title: "LISTEN_FDS=1, --fd 0, with LISTEN_PID and without", do: func(a *asker) {
			run, address := a.serving("--fd", "0")
			a.served(run, address)
			run, address = a.serving("--fd", "0")
			run.Listen, run.Env = false, []string{"LISTEN_FDS=1"}
			a.served(run, address)
		}},
		{number: "C18.1", title: "LISTEN_FDS_FIRST_FD=0", do: func(a *asker) {
			run, address := a.onStdin("--fd", "0")
			run.Env = []string{"LISTEN_FDS=1", "LISTEN_FDS_FIRST_FD=0"}
			a.served(run, address)
		}},
		{number: "C18.1", title: "an index that is too large", do: func(a *asker) {
			for _, index := range []string{"1", "3"} {
				run, _ := a.serving("--fd", index)
				a.refuses([]int{78, 2}, run, "--fd "+index, "LISTEN_FDS=1")
			}
		}},
		{number: "C18.1", title: "LISTEN_PID of another process: a raw number", do: func(a *asker) {
			run, address := a.serving("--fd", "3")
			run.Listen, run.Env = false, []string{"LISTEN_FDS=1", "LISTEN_PID=1"}
			a.served(run, address)
		}},
		{number: "C18.1", title: "unix listener", do: func(a *asker) {
			listener, path := program.UnixListener(a)
			a.served(program.Run{Args: []string{"serve", "--root", a.servers.site(), "--fd", "0"}, Files: []*os.File{listener}, Listen: true}, path)
		}},
		{number: "C18.1", title: "UDP socket", do: func(a *asker) {
			packets, _ := program.PacketConn(a)
			a.refuses([]int{78}, program.Run{Args: []string{"--root", a.servers.site(), "--fd", "0"}, Files: []*os.File{packets}, Listen: true}, "HTTP/3")
		}},
		{number: "C18.1", title: "regular file", do: func(a *asker) {
			f, err := os.Open(filepath.Join(a.servers.site(), "a.txt"))
			must(a, err)
			defer f.Close()
			a.refuses([]int{78}, program.Run{Args: []string{"--root", a.servers.site(), "--fd", "0"}, Files: []*os.File{f}, Listen: true}, "not a socket", "file")
		}},
		{number: "C18.1", title: "one connection", do: connection},
		{number: "C18.1", title: "--fd with other flags of sockets", do: func(a *asker) {
			for _, other := range []string{"--port=8787", "--host=127.0.0.1", "--https-redirect"} {
				run, _ := a.onStdin("--fd=0", other)
				name, _, _ := strings.Cut(other, "=")
				a.refuses([]int{2}, run, "--fd", name)
			}
		}},
		{number: "C18.1", title: "--fd with variables of sockets", do: func(a *asker) {
			run, address := a.onStdin("--fd", "0")
			run.Env = []string{"SERVER_HOST=127.0.0.1", "SERVER_PORT=8787"}
			a.served(run, address)
			a.says("SERVER_HOST", "SERVER_PORT", "not used")
		}},
		{number: "C18.1", title: "fd, host and port in the file; the redirect names the socket's port", do: descriptorInFile},
	}
}

func otherActivations() []point {
	return []point{
		{number: "C18.2", title: "two sockets, chosen by index", do: func(a *asker) {
			for index := range 2 {
				run, _ := a.serving("--fd", number(index))
				second, at := program.Listener(a)
				run.Files = append(run.Files, second)
				if index == 0 {
					run.Files[0], run.Files[1] = second, run.Files[0]
				}
				a.served(run, at)
			}
		}},
		{number: "C18.3", title: "no LISTEN_PID (systemfd --no-pid)", do: func(a *asker) {
			run, address := a.serving("--fd", "0")
			run.Listen, run.Env = false, []string{"LISTEN_FDS=1"}
			a.served(run, address)
		}},
		{number: "C18.4", title: "no --fd", do: func(a *asker) {
			run, address := a.serving()
			a.served(run, address)
			run, _ = a.serving("--host=127.0.0.1", "--port=0", "--log-level=info")
			run.Listen, run.Env = false, []string{"LISTEN_FDS=1", "LISTEN_PID=1"}
			a.served(run, a.bound(run))
		}},
		{number: "C18.5", title: "the descriptors and variables of static-web-server's units", do: shippedUnit},
		{number: "C18.6", title: "a connection from before the start", do: func(a *asker) {
			run, address := a.serving("--fd", "0")
			early, err := net.Dial("tcp", address)
			must(a, err)
			defer early.Close()
			early.SetDeadline(time.Now().Add(limit))
			a.starts(run, address)
			(&reply{asked: "GET /a.txt sent before the start", a: a}).exchange(early, "GET /a.txt HTTP/1.1\nHost: localhost\nConnection: close").want(200, body(aText))
		}},
	}
}

// onStdin is serving with the socket as standard input and no variables.
func (a *asker) onStdin(args ...string) (program.Run, string) {
	a.Helper()
	run, address := a.serving(args...)
	run.Stdin, run.Files, run.Listen = run.Files[0], nil, false
	return run, address
}

// served starts run and expects the site at address.
func (a *asker) served(run program.Run, address string) {
	a.Helper()
	if address != "" {
		a.starts(run, address)
	}
	r := a.get("/a.txt")
	r.asked = strings.ReplaceAll(fmt.Sprintf("rouse %s %s", strings.Join(run.Args, " "), strings.Join(run.Env, " ")), a.servers.dir, "")
	r.want(200, body(aText))
}

// bound starts run, which binds an address itself, and asks there from now on; what it returns says that it runs.
func (a *asker) bound(run program.Run) string {
	a.Helper()
	p := program.Start(a, run)
	found := p.Stderr.WaitFor(`https?://(127\.0\.0\.1:\d+|localhost:\d+|\[::\]:\d+)`, limit)
	a.meets(h1, p, "127.0.0.1:"+portOf(found[1]), nil)
	return ""
}

func connection(a *asker) {
	server, client := program.ConnectionPair(a)
	p := program.Start(a, program.Run{Args: []string{"serve", "--root", a.servers.site(), "--fd", "0"}, Stdin: server})
	server.Close()
	client.SetDeadline(time.Now().Add(limit))
	a.meets(h1, p, "", nil)
	(&reply{asked: "GET /a.txt over the connection", a: a}).exchange(client, "GET /a.txt HTTP/1.1\nHost: localhost\nConnection: close").want(200, body(aText))
	rest, err := io.ReadAll(client)
	code := p.Wait(limit).ExitCode()
	a.compare("the end", "the connection is closed and the program exits 0", fmt.Sprintf("%d B more, %v; exit %d", len(rest), err, code), len(rest) == 0 && code == 0)
}

// descriptorInFile has the port of the socket in the Location, not the configured one.
func descriptorInFile(a *asker) {
	config := a.toml("[general]\nfd = 0\nhost = '127.0.0.1'\nport = 8787\n")
	run, address := a.serving("-w", config)
	a.served(run, address)
	certs := a.pair("", "")
	config = a.toml("[general]\nport = 8787\ntls = true\ntls-cert = '" + certs[1] + "'\ntls-key = '" + certs[3] + "'\nhttps-redirect = true\n")
	run, at := a.serving("-w", config)
	secure, secureAt := program.Listener(a)
	run.Files, run.Names = append(run.Files, secure), []string{"http", "https"}
	a.starts(run, at).get("/a.txt").want(301, is("Location", "https://localhost:"+portOf(secureAt)+"/a.txt"))
}

// shippedUnit passes what the units do: the socket as descriptor 3 and as standard input, and the variables of the
// environment file, with paths that exist here.
func shippedUnit(a *asker) {
	run, address := a.serving("--fd", "0")
	certs := a.pair("", "")
	run.Args, run.Stdin = []string{"--fd", "0"}, run.Files[0]
	run.Env = []string{"SERVER_ROOT=" + a.servers.site(), "SERVER_HTTP2_TLS=true", "SERVER_HTTP2_TLS_CERT=" + certs[1], "SERVER_HTTP2_TLS_KEY=" + certs[3], "SERVER_LOG_LEVEL=warn"}
	for _, over := range []transport{h1tls, h2} {
		if over == h1tls {
			a.startsOver(over, run, address, a.trust())
		} else {
			a.meets(over, a.server.process, address, a.trust())
		}
		a.get("/a.txt", "Host: www.site.test").want(200, body(aText), some("Strict-Transport-Security"))
	}
}
