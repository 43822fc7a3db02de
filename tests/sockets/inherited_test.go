package sockets

import (
	"net"
	"os"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// What serve says of sockets that it cannot serve; tests/badinput holds the whole sentences.
const (
	noCertificate = `.* is to speak https and has no certificate: give .*`
	noHTTP3       = `.*: Rouse does not speak HTTP/3 yet, so .*`
	noSocket      = `.* not a socket; pass a listening socket there`
)

// kinds is one of each kind of thing that can be inherited, and its row without name, source and what serve would do.
func kinds(t *testing.T) (files []*os.File, rows []row) {
	t.Helper()
	add := func(f *os.File, r row) {
		r.Number = 3 + len(files)
		files, rows = append(files, f), append(rows, r)
	}
	four, at := program.Listener(t)
	add(four, row{Kind: "listener", Family: "ipv4", Type: "stream", Protocol: "tcp", Address: at, State: "listening"})
	family, address := "ipv6", "[::1]:0"
	if probe, err := net.Listen("tcp", address); err != nil {
		t.Logf("without IPv6: %v", err)
		family, address = "ipv4", "127.0.0.1:0"
	} else {
		probe.Close()
	}
	six, at := program.ListenerAt(t, "tcp", address)
	add(six, row{Kind: "listener", Family: family, Type: "stream", Protocol: "tcp", Address: at, State: "listening"})
	local, path := program.UnixListener(t)
	add(local, row{Kind: "listener", Family: "unix", Type: "stream", Protocol: "unix", Address: path, State: "listening"})
	udp, at := program.PacketConn(t)
	add(udp, row{Kind: "packet", Family: "ipv4", Type: "datagram", Protocol: "udp", Address: at, State: "bound"})
	conn, client := program.ConnectionPair(t)
	add(conn, row{Kind: "connection", Family: "ipv4", Type: "stream", Protocol: "tcp", Address: client.RemoteAddr().String(), Peer: client.LocalAddr().String(), State: "connected"})
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	add(r, row{})
	return files, rows
}

// called writes names and sources into rows, and what serve would do.
func called(rows []row, names, sources, does []string) []row {
	all := make([]row, len(rows))
	for i, r := range rows {
		r.Name, r.Source, r.Serve = names[i], sources[i], does[i]
		all[i] = r
	}
	return all
}

// Without this nobody finds out why a socket of a unit is not served: by its name, by its kind, or for want of a certificate.
func TestSocketsOfListenFDs(t *testing.T) {
	files, rows := kinds(t)
	cert, key, _ := program.KeyPair(t, t.TempDir())
	certificate := []string{"--tls-cert", cert, "--tls-key", key}
	names := []string{"https", "web", "web", "quic", "one", "pipe"}
	sources := []string{"systemd:https", "systemd:web[0]", "systemd:web[1]", "systemd:quic", "systemd:one", "systemd:pipe"}
	unknown := []string{"unknown", "unknown", "unknown", "unknown", "unknown", "unknown"}
	counted := []string{"systemd:unknown[0]", "systemd:unknown[1]", "systemd:unknown[2]", "systemd:unknown[3]", "systemd:unknown[4]", "systemd:unknown[5]"}
	const plain, secure, once = "speak http", "speak https", " on this connection, then exit"
	for _, s := range []shown{
		{name: "names, no certificate", names: names,
			rows: called(rows, names, sources, []string{notStart + noCertificate, plain, plain, notStart + noHTTP3, plain + once, notStart + noSocket})},
		{name: "names and a certificate", args: certificate, names: names,
			rows: called(rows, names, sources, []string{secure, secure, secure, notStart + noHTTP3, secure + once, notStart + noSocket})},
		{name: "no names", rows: called(rows, unknown, counted, []string{plain, plain, plain, notStart + noHTTP3, plain + once, notStart + noSocket})},
		{name: "no names, --tls", args: []string{"--tls"},
			rows: called(rows, unknown, counted, []string{notStart + noCertificate, notStart + noCertificate, notStart + noCertificate, notStart + noHTTP3, notStart + noCertificate, notStart + noSocket})},
	} {
		t.Run(s.name, func(t *testing.T) {
			s.files, s.listen = files, true
			s.check(t)
		})
	}
}

// Names are what the activator makes of them: an empty one, or one that would break the table, must not hide the socket.
func TestOddNames(t *testing.T) {
	one, at := program.Listener(t)
	r := row{Kind: "listener", Family: "ipv4", Type: "stream", Protocol: "tcp", Address: at, State: "listening", Serve: "speak http"}
	names := []string{"a\tb\x1b", "", "http"}
	rows := []row{r, r, r}
	for i, source := range []string{"systemd:a\tb\x1b", "systemd:[1]", "systemd:http"} {
		rows[i].Number, rows[i].Name, rows[i].Source = 3+i, names[i], source
	}
	shown{files: []*os.File{one, one, one}, listen: true, names: names, rows: rows}.check(t)
}
