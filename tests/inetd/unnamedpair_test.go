package inetd

import (
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"syscall"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/program"
)

// ownSocket are options to bind a socket of one's own, whose URL stands on standard error then.
func ownSocket(t testing.TB) []string {
	return []string{"serve", "--root=" + site(t), "--host=127.0.0.1", "--port=0"}
}

var ownURL = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)

// askOwn asks at the URL of a socket that rouse bound itself, once it stands in the output.
func askOwn(t testing.TB, output *program.Output) {
	t.Helper()
	client := program.Client(t, nil).HTTP1
	defer client.CloseIdleConnections()
	ask(t, client, output.WaitFor(ownURL.String(), limit)[0]+"/")
}

// spawn starts a command as Node does it unless told otherwise, and passes on what it writes.
const spawn = `
const [command, ...args] = process.argv.slice(1)
const child = require('node:child_process').spawn(command, args)
child.stdout.pipe(process.stdout)
child.stderr.pipe(process.stderr)
child.on('exit', (code, signal) => process.exit(signal ? 1 : code))
process.on('SIGTERM', () => child.kill())
`

// Node passes unnamed unix pairs as standard input, output and error: a development server that a Node script starts would
// wait for requests on its standard input.
func TestStartedByNode(t *testing.T) {
	t.Parallel()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("no node (Debian: nodejs)")
	}
	rouse := program.Binary(t)
	p := program.Start(t, program.Run{Binary: node, Args: append([]string{"-e", spawn, "--", rouse}, ownSocket(t)...)})
	askOwn(t, p.Stderr)
	if code := p.Stop().ExitCode(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	p = program.Start(t, program.Run{Binary: node, Args: []string{"-e", spawn, "--", rouse, "sockets"}})
	p.Wait(limit)
	has(t, p.Stdout, "no sockets were inherited")
}

// sshd passes one unnamed unix pair as standard input and output when there is no terminal, some tools as all three:
// `ssh host rouse` would serve the site over ssh's channel.
func TestStartedBySSH(t *testing.T) {
	t.Parallel()
	t.Run("0 and 1", func(t *testing.T) {
		stdio, far := unnamedPair(t)
		p := program.Start(t, program.Run{Args: ownSocket(t), Stdin: stdio, Stdout: stdio})
		askOwn(t, p.Stderr)
		p.Stop()
		stdio.Close()
		far.SetDeadline(time.Now().Add(limit))
		if n, _ := far.Read(make([]byte, 1)); n > 0 {
			t.Error("something was written to standard output")
		}
	})
	t.Run("0, 1 and 2", func(t *testing.T) {
		stdio, far := unnamedPair(t)
		p := program.Start(t, program.Run{Args: ownSocket(t), Stdin: stdio, Stdout: stdio, Stderr: stdio})
		var log []byte
		far.SetDeadline(time.Now().Add(limit))
		for !ownURL.Match(log) || log[len(log)-1] != '\n' {
			buffer := make([]byte, 4096)
			n, err := far.Read(buffer)
			if err != nil {
				t.Fatalf("%v after %q", err, log)
			}
			log = append(log, buffer[:n]...)
		}
		ask(t, program.Client(t, nil).HTTP1, string(ownURL.Find(log))+"/")
		p.Stop()
	})
}

// The address inetd: says that descriptor 0 is the client, whatever it looks like; then nothing else may be written to it.
func TestForcedUnnamedPair(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]program.Run{
		"option":   {Args: []string{"--listen=inetd:"}},
		"variable": {Env: []string{"SERVER_LISTEN=inetd:"}},
	} {
		t.Run(name, func(t *testing.T) {
			server, client := unnamedPair(t)
			run.Args = append([]string{"serve", "--log-level=trace", "--root=" + site(t)}, run.Args...)
			run.Stdin, run.Stdout, run.Stderr = server, server, server
			p := program.Start(t, run)
			server.Close()
			checkPlainWire(t, client)
			if code := p.Wait(limit).ExitCode(); code != 0 {
				t.Errorf("exit code %d", code)
			}

			server, client = unnamedPair(t)
			run.Args = append(run.Args, "--no-such-option") // an error before anything else was looked at
			run.Stdin, run.Stdout, run.Stderr = server, server, server
			p = program.Start(t, run)
			server.Close()
			client.SetDeadline(time.Now().Add(limit))
			if reply, err := io.ReadAll(client); err != nil || len(reply) > 0 {
				t.Errorf("the client read %q, %v", reply, err)
			}
			if code := p.Wait(limit).ExitCode(); code != 2 {
				t.Errorf("exit code %d, want 2", code)
			}
		})
	}
}

// unnamedPair returns both ends of a pair of unix sockets without names, one as a file to pass on.
func unnamedPair(t testing.TB) (*os.File, net.Conn) {
	t.Helper()
	syscall.ForkLock.RLock() // or the program of another test could inherit them
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(pair[0])
		syscall.CloseOnExec(pair[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	passed, own := os.NewFile(uintptr(pair[0]), "pair"), os.NewFile(uintptr(pair[1]), "pair")
	defer own.Close()
	conn, err := net.FileConn(own)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { passed.Close(); conn.Close() })
	return passed, conn
}
