package conformance

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/rouse-server/rouse/tests/program"
)

// starts starts a program for this point alone and asks it at address, over plain HTTP/1.1. The descriptors that it
// inherits are closed here, so that a program that ends is noticed.
func (a *asker) starts(run program.Run, address string) *asker {
	a.Helper()
	return a.startsOver(h1, run, address, nil)
}

// startsOver is starts over another transport.
func (a *asker) startsOver(over transport, run program.Run, address string, trust *tls.Config) *asker {
	a.Helper()
	run.Env = append(run.Env, "TZ=UTC")
	p := program.Start(a, run)
	for _, f := range append(run.Files, run.Stdin) {
		f.Close() // nil is not open
	}
	a.meets(over, p, address, trust)
	return a
}

// meets asks a program that runs, at address, from now on.
func (a *asker) meets(over transport, p *program.Process, address string, trust *tls.Config) {
	a.over = over
	if trust == nil {
		trust = &tls.Config{}
	}
	a.server = &server{plain: address, tls: address, host: "localhost", trust: trust, process: p}
	a.server.clients = map[transport]*http.Client{over: over.client(address, trust)}
	a.Cleanup(a.server.clients[over].CloseIdleConnections)
}

// says expects the program to write these words.
func (a *asker) says(words ...string) {
	a.Helper()
	for _, word := range words {
		a.server.process.Stderr.WaitFor(regexp.QuoteMeta(word), limit)
	}
	a.compare("", "a message with "+strings.Join(words, ", "), "it is there", true)
}

// refuses starts rouse and expects it to end with one of these exit codes and a message with these words.
func (a *asker) refuses(codes []int, run program.Run, words ...string) {
	a.Helper()
	p := program.Start(a, run)
	code := p.Wait(limit).ExitCode()
	holds := slices.Contains(codes, code)
	for _, word := range words {
		holds = holds && strings.Contains(p.Stderr.String(), word)
	}
	asked := "rouse " + strings.Join(append(run.Args, run.Env...), " ")
	expected := fmt.Sprint("exit ", codes) + " and a message with " + strings.Join(words, ", ")
	a.compare(strings.ReplaceAll(asked, a.servers.dir, ""), expected, "exit "+number(code)+": "+p.Stderr.String(), holds)
}

// serving is `rouse serve` with the site, these arguments and an inherited socket; it returns its address.
func (a *asker) serving(args ...string) (program.Run, string) {
	a.Helper()
	listener, address := program.Listener(a)
	return program.Run{Args: append([]string{"serve", "--root", a.servers.site()}, args...), Files: []*os.File{listener}, Listen: true}, address
}

// pair is the flags for the certificate of the suite.
func (a *asker) pair(certFlag, keyFlag string) []string {
	return []string{certFlag, filepath.Join(a.servers.certs, "tls.crt"), keyFlag, filepath.Join(a.servers.certs, "tls.key")}
}

func (a *asker) trust() *tls.Config { return &tls.Config{RootCAs: a.servers.pool} }

// toml writes a configuration file and returns its path.
func (a *asker) toml(text string) string {
	a.Helper()
	path := filepath.Join(a.TempDir(), "sws.toml")
	must(a, os.WriteFile(path, []byte(a.servers.fill(text)), 0o644))
	return path
}

// ended ends the program and returns what it wrote. Connections that nobody uses are closed first: a drain waits for them.
func (a *asker) ended() string {
	a.Helper()
	for _, client := range a.server.clients {
		client.CloseIdleConnections()
	}
	a.server.process.Stop()
	return a.server.process.Stderr.String()
}
