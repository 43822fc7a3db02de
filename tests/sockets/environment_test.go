package sockets

import (
	"os"
	"syscall"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// Where nothing was inherited one wants to know why not, and what serve would do instead.
func TestNothingInherited(t *testing.T) {
	web, _ := program.Listener(t)
	const none = `no sockets were inherited: not by LISTEN_FDS, launchd or standard input; serve would bind `
	const bare = none + `https://localhost:8443 and http://localhost:8080 itself`
	for _, s := range []shown{
		{name: "nothing", notices: []string{bare}},
		{name: "host and port", args: []string{"--host", "::1", "--port", "8000"}, notices: []string{none + `\[::1\]:8000 itself and speak http`}},
		{name: "TLS", args: []string{"--tls"}, notices: []string{none + `\[::\]:80 itself and speak https`}},
		{name: "an address to bind", args: []string{"--listen", "tcp:127.0.0.1:8000"}, notices: []string{none + `tcp:127\.0\.0\.1:8000, as --listen says`}},
		{name: "another process's", env: []string{"LISTEN_FDS=1", "LISTEN_PID=1"}, files: []*os.File{web},
			notices: []string{`LISTEN_FDS is set, but not for this process: LISTEN_PID=1 is another process \(this one is \d+\)`, bare}},
		{name: "nobody's", env: []string{"LISTEN_FDS=1"}, files: []*os.File{web},
			notices: []string{`LISTEN_FDS is set without LISTEN_PID, so its descriptors may be another process's and are not used: take one with --fd N, counted from 0`, bare}},
		{name: "misspelled variable", env: []string{"SERVER_LISTN=fd:3"}, files: []*os.File{web},
			notices: []string{`SERVER_LISTN is not a variable of Rouse and is ignored \(did you mean SERVER_LISTEN\?\)`, bare}},
	} {
		t.Run(s.name, s.check)
	}
}

// inetd and its family say nothing in variables; the socket itself tells which of the two modes it is.
func TestSocketOnStandardInput(t *testing.T) {
	wait, at := program.Listener(t)
	listening := row{Source: "inetd:", Kind: "listener", Family: "ipv4", Type: "stream", Protocol: "tcp", Address: at, State: "listening", Serve: "speak http until idle, then exit"}
	conn, client := program.ConnectionPair(t)
	connected := row{Source: "inetd:", Kind: "connection", Family: "ipv4", Type: "stream", Protocol: "tcp", Address: client.RemoteAddr().String(), Peer: client.LocalAddr().String(), State: "connected", Serve: "speak http on this connection, then exit"}
	raw := listening
	raw.Source, raw.Serve = "fd:0", "speak http" // for ever, as the number alone does not say inetd
	pair, pairRow := unnamedPair(t)
	forced := pairRow
	forced.Serve = "speak http on this connection, then exit"
	for _, s := range []shown{
		{name: "wait", stdin: wait, rows: []row{listening}},
		{name: "nowait", stdin: conn, rows: []row{connected}},
		{name: "--fd 0", args: []string{"--fd", "0"}, stdin: wait, rows: []row{raw}},
		{name: "inetd: in SERVER_LISTEN", env: []string{"SERVER_LISTEN=inetd:"}, stdin: conn, rows: []row{connected}},
		{name: "the pair that node's spawn gives a child", stdin: pair,
			notices: []string{`no sockets were inherited: .*; serve would bind https://localhost:8443 and http://localhost:8080 itself`}},
		{name: "such a pair, forced", args: []string{"--listen", "inetd:"}, stdin: pair, rows: []row{forced}},
	} {
		t.Run(s.name, s.check)
	}
}

// unnamedPair returns one end of a pair of unix sockets without names, and its row.
func unnamedPair(t *testing.T) (*os.File, row) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		syscall.CloseOnExec(fd)
	}
	child, parent := os.NewFile(uintptr(fds[0]), "pair"), os.NewFile(uintptr(fds[1]), "pair")
	t.Cleanup(func() { child.Close(); parent.Close() })
	return child, row{Source: "inetd:", Kind: "connection", Family: "unix", Type: "stream", Protocol: "unix", State: "connected"}
}

// --fd counts in LISTEN_FDS where there is one, and is the number itself where there is none.
func TestOneSocketByNumber(t *testing.T) {
	one, at := program.Listener(t)
	two, other := program.Listener(t)
	files := []*os.File{one, two}
	r := row{Number: 3, Source: "fd:3", Kind: "listener", Family: "ipv4", Type: "stream", Protocol: "tcp", Address: at, State: "listening", Serve: "speak http"}
	second := row{Number: 4, Name: "blog", Source: "systemd:blog", Kind: "listener", Family: "ipv4", Type: "stream", Protocol: "tcp", Address: other, State: "listening", Serve: "speak http"}
	nameless := second
	nameless.Name, nameless.Source = "unknown", "systemd:unknown[1]"
	for _, s := range []shown{
		{name: "raw", args: []string{"--fd", "3"}, rows: []row{r}},
		{name: "counted", args: []string{"--fd", "1"}, listen: true, names: []string{"web", "blog"}, rows: []row{second}},
		{name: "counted, without LISTEN_PID", env: []string{"SERVER_LISTEN_FD=1", "LISTEN_FDS=2"}, rows: []row{nameless}},
		{name: "closed", args: []string{"--fd", "99"}, rows: []row{{Number: 99, Source: "fd:99", Serve: `not start: fd:99: descriptor 99 is not open: bad file descriptor; pass a listening socket there`}}},
		{name: "beside a port", args: []string{"--fd", "3"}, env: []string{"SERVER_PORT=80"}, rows: []row{r}, notices: []string{`SERVER_PORT is not used: --fd says which socket to take`}},
	} {
		t.Run(s.name, func(t *testing.T) {
			s.files = files
			s.check(t)
		})
	}
}

// With addresses, sockets get their roles from them; one that no address takes has clients who wait for nobody.
func TestAddresses(t *testing.T) {
	web, at := program.Listener(t)
	blog, other := program.Listener(t)
	files, names := []*os.File{web, blog}, []string{"web", "blog"}
	cert, key, _ := program.KeyPair(t, t.TempDir())
	first := row{Number: 3, Name: "web", Source: "systemd:web", Kind: "listener", Family: "ipv4", Type: "stream", Protocol: "tcp", Address: at, State: "listening"}
	second := row{Number: 4, Name: "blog", Source: "systemd:blog", Kind: "listener", Family: "ipv4", Type: "stream", Protocol: "tcp", Address: other, State: "listening"}
	does := func(r row, does string) row {
		r.Serve = does
		return r
	}
	numbered := does(first, "speak http")
	numbered.Name, numbered.Source = "", "fd:3"
	twice := does(numbered, `not start: fd:3: descriptor 3 is named by two addresses: leave one out`)
	for _, s := range []shown{
		{name: "one of two", args: []string{"--listen", "http=systemd:web"}, rows: []row{does(first, "speak http"), does(second, "leave it: no address of --listen takes it")}},
		{name: "in their own order", env: []string{"SERVER_LISTEN=https=systemd:blog http=systemd:web"}, args: []string{"--tls-cert", cert, "--tls-key", key},
			rows: []row{does(second, "speak https"), does(first, "speak http")}},
		{name: "redirecting", args: []string{"--listen", "http=systemd:web", "--listen", "https=systemd:blog", "--https-redirect", "--tls-cert", cert, "--tls-key", key},
			rows: []row{does(first, "redirect to https"), does(second, "speak https")}},
		{name: "without certificate", args: []string{"--listen", "https=systemd:web systemd:blog"}, rows: []row{does(first, notStart+noCertificate), does(second, "speak http")}},
		{name: "the same twice", args: []string{"--listen", "fd:3 fd:3"}, rows: []row{numbered, twice, does(second, "leave it: no address of --listen takes it")}},
	} {
		t.Run(s.name, func(t *testing.T) {
			s.files, s.listen, s.names = files, true, names
			s.check(t)
		})
	}
}
