package badinput

import (
	"os"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// Two flags that say different things about the sockets are a mistake, and guessing which one was meant would serve the
// wrong port.
func TestFlagsThatExcludeEachOther(t *testing.T) {
	files := []*os.File{listenerOnly(t)}
	const exclude = " exclude each other, leave one out: "
	const listen, fd = "--listen says which sockets to use", "--fd says which sockets to use"
	refused(t, []refusal{
		{name: "fd and port", args: []string{"--fd", "3", "--port", "80"}, files: files, code: usage, want: "--fd and --port" + exclude + fd},
		{name: "fd and host", args: []string{"-f", "3", "-a", "::1"}, files: files, code: usage, want: "--fd and --host" + exclude + fd},
		{name: "fd and https-redirect", args: []string{"--fd", "3", "--https-redirect"}, files: files, code: usage,
			want: "--fd and --https-redirect" + exclude + "--fd takes one socket, and a redirect needs two: without it all passed sockets are taken"},
		{name: "listen and fd", args: []string{"--listen", "fd:3", "--fd", "3"}, files: files, code: usage, want: "--listen and --fd" + exclude + listen},
		{name: "listen and host", args: []string{"--listen", "fd:3", "--host", "::1"}, files: files, code: usage, want: "--listen and --host" + exclude + listen},
		{name: "listen and port", args: []string{"--listen", "fd:3", "--port", "80"}, files: files, code: usage, want: "--listen and --port" + exclude + listen},
		{name: "sockets refuses the same", args: []string{"sockets", "--listen", "fd:3", "--port", "80"}, files: files, code: usage, want: "--listen and --port" + exclude + listen},
	})
}

// Variables often come from a file that several services share: there the more exact option wins, and what is not used is
// named.
func TestVariablesThatGiveWay(t *testing.T) {
	cert, key, pool := program.KeyPair(t, t.TempDir())
	const idle = " does nothing here: no socket speaks https, so the site is served in clear"
	served(t, []start{
		{name: "port and host to --fd", args: []string{"--fd", "3"}, env: []string{"SERVER_PORT=80", "SERVER_HOST=::1"}, scheme: "http",
			notices: []string{"SERVER_HOST is not used: --fd says which socket to take", "SERVER_PORT is not used: --fd says which socket to take"}},
		{name: "port to SERVER_LISTEN_FD", env: []string{"SERVER_LISTEN_FD=3", "SERVER_PORT=80"}, scheme: "http",
			notices: []string{"SERVER_PORT is not used: SERVER_LISTEN_FD says which socket to take"}},
		{name: "https-redirect to --fd", args: []string{"--fd", "3"}, env: []string{"SERVER_HTTPS_REDIRECT=true"}, scheme: "http",
			notices: []string{"SERVER_HTTPS_REDIRECT" + idle}},
		{name: "https-redirect to --fd over TLS", args: []string{"--fd", "3", "--tls-cert", cert, "--tls-key", key}, env: []string{"SERVER_HTTPS_REDIRECT=true"}, scheme: "https", pool: pool},
		{name: "port to --listen", args: []string{"--listen", "fd:3"}, env: []string{"SERVER_PORT=80"}, scheme: "http",
			notices: []string{"SERVER_PORT is not used: --listen says which sockets to take"}},
		{name: "fd to --listen", args: []string{"--listen", "fd:3"}, env: []string{"SERVER_LISTEN_FD=9"}, scheme: "http",
			notices: []string{"SERVER_LISTEN_FD is not used: --listen says which sockets to take"}},
		{name: "fd, host and port to SERVER_LISTEN", env: []string{"SERVER_LISTEN=fd:3", "SERVER_LISTEN_FD=9", "SERVER_HOST=::1", "SERVER_PORT=80"}, scheme: "http",
			notices: []string{"SERVER_LISTEN_FD is not used: SERVER_LISTEN says which sockets to take", "SERVER_HOST is not used: SERVER_LISTEN says which sockets to take", "SERVER_PORT is not used: SERVER_LISTEN says which sockets to take"}},
		{name: "SERVER_LISTEN to --fd", args: []string{"--fd", "3"}, env: []string{"SERVER_LISTEN=fd:9"}, scheme: "http",
			notices: []string{"SERVER_LISTEN is not used: --fd says which socket to take"}},
		{name: "SERVER_LISTEN to --listen", args: []string{"--listen", "fd:3"}, env: []string{"SERVER_LISTEN=fd:9"}, scheme: "http"},
		{name: "port to passed sockets", args: []string{"--port", "80"}, listen: true, names: []string{"web"}, scheme: "http",
			notices: []string{"--port is not used: the sockets were passed by systemd"}},
		{name: "https-redirect to one passed socket", args: []string{"--https-redirect"}, listen: true, names: []string{"http"}, scheme: "http",
			notices: []string{"--https-redirect" + idle}},
	})
}
