package inetd

import (
	"net"
	"path/filepath"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// Under tcpserver and tcpsvd, which read from standard input and write to standard output, and keep standard error for
// their log, a site would not work or its log lines would be lost.
func TestUCSPI(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]string{
		"tcpserver": {"-H", "-R", "-l0"}, // no look-ups of names, no ident (tcpserver(1))
		"tcpsvd":    {"-v"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := []string{libraries(t, unpacked(t))}
			recorder, starts := record(t)
			through := append([]string{tool(t, name)}, options...)
			p, addresses := onFreePorts(t, []string{"127.0.0.1"}, func(addresses []string) *program.Process {
				host, port, _ := net.SplitHostPort(addresses[0])
				words := append(append(through[:len(through):len(through)], host, port), recorder...)
				return program.Start(t, program.Run{Through: words, Args: []string{"serve", "--root=" + site(t), "--log-level=info"}, Env: env})
			})
			service{network: "tcp", address: addresses[0], starts: starts}.checkNowait(t)
			p.Stderr.WaitFor(`(?m)^\S+ GET 200 / \S+ \S+ 127\.0\.0\.1 HTTP/1\.1`, limit)
		})
	}
}

// A site behind a unix socket of s6 would not wake, or not go away again.
func TestS6(t *testing.T) {
	t.Parallel()
	binder, server := tool(t, "s6-ipcserver-socketbinder"), tool(t, "s6-ipcserverd")
	env := []string{libraries(t, unpacked(t))}
	t.Run(wait, func(t *testing.T) {
		path := filepath.Join(program.ShortDir(t), "s")
		run := program.Run{Through: []string{binder, path}, Args: []string{"serve", "--root=" + site(t), "--idle-exit=1s"}, Env: env}
		p := program.Start(t, run)
		await(t, "a listener on "+path, func() bool { return holdsListener(p.Pid, path) })
		askAll(t, []service{{network: "unix", address: path}})
		if code := p.Wait(limit).ExitCode(); code != 0 {
			t.Errorf("exit code %d", code)
		}
	})
	t.Run(nowait, func(t *testing.T) {
		path := filepath.Join(program.ShortDir(t), "s")
		recorder, starts := record(t)
		run := program.Run{Through: append([]string{binder, path, server}, recorder...), Args: []string{"serve", "--root=" + site(t)}, Env: env}
		p := program.Start(t, run)
		await(t, "a listener on "+path, func() bool { return holdsListener(p.Pid, path) })
		service{network: "unix", address: path, starts: starts}.checkNowait(t)
	})
}
