package badinput

import (
	"testing"
)

// Environment files have blank lines such as SERVER_PORT=; they must count as not set, for every option.
func TestEmptyVariablesAreNotSet(t *testing.T) {
	env := []string{"SERVER_HTTP2_TLS="}
	for _, name := range options() {
		if name = variable(name); name != "" && name != "SERVER_ROOT" { // the test's own
			env = append(env, name+"=")
		}
	}
	served(t, []start{
		{name: "all", args: []string{"--fd", "3"}, env: env, scheme: "http"},
		{name: "all, with sockets found by themselves", env: env, listen: true, names: []string{"web"}, scheme: "http"},
	})
	refused(t, []refusal{
		{name: "root", env: []string{"SERVER_ROOT=", "SERVER_HOST=127.0.0.1", "SERVER_PORT=0"}, code: config,
			pattern: `root \./public: there is no such folder in /\S+: make it, or name another with --root or SERVER_ROOT`},
	})
}

// A misspelled variable does nothing, and its author must hear of it; variables of other programs that happen to begin
// with SERVER_ must not fill the log.
func TestUnknownVariables(t *testing.T) {
	const ignored = " is not a variable of Rouse and is ignored"
	served(t, []start{
		{name: "nearly one", args: []string{"--fd", "3"}, env: []string{"SERVER_TLS_CRET=/etc/tls.crt"}, scheme: "http",
			notices: []string{"SERVER_TLS_CRET" + ignored + " (did you mean SERVER_TLS_CERT?)"}},
		{name: "nothing like it", args: []string{"--fd", "3"}, env: []string{"SERVER_DISTANCE=true"}, scheme: "http",
			notices: []string{"SERVER_DISTANCE" + ignored}},
		{name: "of other programs", args: []string{"--fd", "3"}, env: []string{"SERVER_STARTER_PORT=80=3", "SERVER_STARTER_GENERATION=1", "SERVER_NAME=example.org",
			"SERVER_SOFTWARE=x", "SERVER_PROTOCOL=HTTP/1.1", "SERVER_ADDR=127.0.0.1"}, scheme: "http"},
		{name: "not in capitals", args: []string{"--fd", "3"}, env: []string{"server_port=80", "SERVERPORT=80"}, scheme: "http"},
	})
	refused(t, []refusal{
		{name: "before an error that it explains", args: []string{"--port", "0"}, env: []string{"SERVER_ROTO=/srv"}, code: config,
			pattern: `root \./public: there is no such folder in /\S+: make it, or name another with --root or SERVER_ROOT`,
			notices: []string{"SERVER_ROTO" + ignored + " (did you mean SERVER_ROOT?)"}},
		{name: "before a socket that cannot be opened", args: []string{"--fd", "99"}, env: []string{"SERVER_LISTN=tcp:80"}, code: config,
			pattern: "fd:99: descriptor 99 is not open: .*",
			notices: []string{"SERVER_LISTN" + ignored + " (did you mean SERVER_LISTEN?)"}},
	})
}
