package badinput

import (
	"os"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// Whoever comes from static-web-server 2 or 3 brings its spellings of the TLS options. They must mean the same here, or be
// refused where the two contradict each other; they must never end in plain text.
func TestSpellingsOfTLS(t *testing.T) {
	cert, key, pool := program.KeyPair(t, t.TempDir())
	served(t, []start{
		{name: "v3 flags", args: []string{"--fd", "3", "--tls", "--tls-cert", cert, "--tls-key", key}, scheme: "https", pool: pool},
		{name: "v3 variables", env: []string{"SERVER_LISTEN_FD=3", "SERVER_TLS=true", "SERVER_TLS_CERT=" + cert, "SERVER_TLS_KEY=" + key}, scheme: "https", pool: pool},
		{name: "v2 flags", args: []string{"--fd", "3", "--http2", "--http2-tls-cert", cert, "--http2-tls-key", key}, scheme: "https", pool: pool},
		{name: "v2 flags, -t", args: []string{"--fd", "3", "-t", "--http2-tls-cert", cert, "--http2-tls-key", key}, scheme: "https", pool: pool},
		{name: "v2 variables", args: []string{"--fd", "3"}, env: []string{"SERVER_HTTP2_TLS=true", "SERVER_HTTP2_TLS_CERT=" + cert, "SERVER_HTTP2_TLS_KEY=" + key}, scheme: "https", pool: pool},
		{name: "certificate and key alone", args: []string{"--fd", "3", "--tls-cert", cert, "--tls-key", key}, scheme: "https", pool: pool},
		{name: "one of each", args: []string{"--fd", "3", "-t", "--tls-cert", cert}, env: []string{"SERVER_HTTP2_TLS_KEY=" + key}, scheme: "https", pool: pool},
		{name: "both, the same", args: []string{"--fd", "3", "--tls-cert", cert, "--http2-tls-cert", cert, "--tls-key", key}, env: []string{"SERVER_TLS=true", "SERVER_HTTP2_TLS=true"}, scheme: "https", pool: pool},
		{name: "http2 with tls", args: []string{"--fd", "3", "--http2", "--tls", "--tls-cert", cert, "--tls-key", key}, scheme: "https", pool: pool},
		{name: "a flag turns off what a variable turned on", args: []string{"--fd", "3", "--tls=false"}, env: []string{"SERVER_HTTP2=true", "SERVER_TLS_CERT=" + cert, "SERVER_TLS_KEY=" + key}, scheme: "http"},
	})
	listener, _ := program.Listener(t)
	files := []*os.File{listener}
	const contradict = " are two spellings of one option, and say different things: leave one out"
	const needs = " needs TLS, and there is no certificate: give --tls-cert and --tls-key (SERVER_TLS_CERT, SERVER_TLS_KEY)"
	fd := []string{"--fd", "3"}
	refused(t, []refusal{
		{name: "two certificates", args: append(fd, "--tls-cert", "a", "--http2-tls-cert", "b"), files: files, code: usage, want: "--http2-tls-cert and --tls-cert" + contradict},
		{name: "two keys, by variables", args: fd, env: []string{"SERVER_TLS_KEY=a", "SERVER_HTTP2_TLS_KEY=b"}, files: files, code: config, want: "SERVER_HTTP2_TLS_KEY and SERVER_TLS_KEY" + contradict},
		{name: "TLS on and off", args: fd, env: []string{"SERVER_TLS=false", "SERVER_HTTP2_TLS=true"}, files: files, code: config, want: "SERVER_HTTP2_TLS and SERVER_TLS" + contradict},
		{name: "--http2 alone", args: append(fd, "--http2"), files: files, code: usage, want: "--http2" + needs},
		{name: "SERVER_HTTP2 alone", args: fd, env: []string{"SERVER_HTTP2=true"}, files: files, code: config, want: "SERVER_HTTP2" + needs},
		{name: "--http2 without TLS", args: append(fd, "--http2", "--tls=false"), files: files, code: usage, want: "--http2 needs TLS, and --tls turns it off: leave one out"},
		{name: "SERVER_HTTP2 without TLS", args: fd, env: []string{"SERVER_HTTP2=true", "SERVER_TLS=false"}, files: files, code: config, want: "SERVER_HTTP2 needs TLS, and SERVER_TLS turns it off: leave one out"},
		{name: "SERVER_HTTP2_TLS without certificate", args: fd, env: []string{"SERVER_HTTP2_TLS=true"}, files: files, code: config, want: "fd:3 (descriptor 3)" + noCertificate},
	})
}

// static-web-server writes booleans in four ways, and one of its versions broke scripts by losing one.
func TestSpellingsOfBooleans(t *testing.T) {
	cert, key, pool := program.KeyPair(t, t.TempDir())
	env := []string{"SERVER_LISTEN_FD=3", "SERVER_TLS_CERT=" + cert, "SERVER_TLS_KEY=" + key}
	var starts []start
	for _, on := range [][]string{{"--tls"}, {"--tls", "true"}, {"--tls=true"}, {"-t"}, {"-t", "true"}, {"-t=true"}} {
		starts = append(starts, start{name: on[0] + " on " + on[len(on)-1], args: on, env: env, scheme: "https", pool: pool})
	}
	for _, off := range [][]string{{"--tls=false"}, {"--tls", "false"}, {"-t=false"}, {"-t", "false"}} {
		starts = append(starts, start{name: off[0] + " off " + off[len(off)-1], args: off, env: env, scheme: "http"})
	}
	starts = append(starts, start{name: "SERVER_TLS=false", env: append(env, "SERVER_TLS=false"), scheme: "http"})
	served(t, starts)
}
