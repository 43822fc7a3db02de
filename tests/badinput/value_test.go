package badinput

import (
	"strings"
	"testing"
)

// A value that cannot be read must never be replaced by a default in silence, however it was given.
func TestUnreadableValues(t *testing.T) {
	const value = "wrong value"
	refusals := []refusal{
		{name: "SERVER_HTTP2_TLS", env: []string{"SERVER_HTTP2_TLS=" + value}, code: config, want: "SERVER_HTTP2_TLS=" + value + ": not true or false"},
		{name: "-p", args: []string{"-p", value}, code: usage, want: "--port " + value + ": not a number from 0 to 65535"},
		{name: "-t", args: []string{"-t=" + value}, code: usage, want: "--tls " + value + ": not true or false"},
		{name: "the flag of two", args: []string{"--port", "x"}, env: []string{"SERVER_PORT=1"}, code: usage, want: "--port x: not a number from 0 to 65535"},
		{name: "the variable of two", args: []string{"--port", "1"}, env: []string{"SERVER_PORT=x"}, code: config, want: "SERVER_PORT=x: not a number from 0 to 65535"},
		{name: "port too large", args: []string{"--port", "70000"}, code: usage, want: "--port 70000: not a number from 0 to 65535"},
		{name: "port negative", args: []string{"--port", "-1"}, code: usage, want: "--port -1: not a number from 0 to 65535"},
		{name: "grace period too long", env: []string{"SERVER_GRACE_PERIOD=256"}, code: config, want: "SERVER_GRACE_PERIOD=256: not a whole number of seconds from 0 to 255"},
		{name: "time negative", args: []string{"--idle-exit=-5s"}, code: usage, want: "--idle-exit -5s: not a time span such as 30s, 5m or 1h; a bare number is seconds"},
		{name: "host in brackets", args: []string{"--host", "[::1]"}, code: usage, want: "--host [::1]: not an IP address (IPv6 without brackets) or host name"},
		{name: "host with port", args: []string{"--https-redirect-host", "example.org:443"}, code: usage, want: "--https-redirect-host example.org:443: not an IP address (IPv6 without brackets) or host name"},
		{name: "one host of two", env: []string{"SERVER_HTTPS_REDIRECT_FROM_HOSTS=example.org, b c"}, code: config, want: `SERVER_HTTPS_REDIRECT_FROM_HOSTS=example.org, b c: "b c" is not an IP address (IPv6 without brackets) or host name`},
	}
	refused(t, refusals)
}

// A typing error in an option must not start a server without that option.
func TestUnknownOptions(t *testing.T) {
	const list = "; rouse --help lists them"
	refused(t, []refusal{
		{name: "nearly one", args: []string{"--prot", "80"}, code: usage, want: "there is no option --prot (did you mean --port?)" + list},
		{name: "nearly one, with a value", args: []string{"serve", "--tls-crt=x"}, code: usage, want: "there is no option --tls-crt (did you mean --tls-cert?)" + list},
		{name: "nothing like it", args: []string{"--distance"}, code: usage, want: "there is no option --distance" + list},
		{name: "short", args: []string{"-y"}, code: usage, want: "there is no option -y" + list},
		{name: "short, behind another", args: []string{"-ty"}, code: usage, want: "there is no option -y" + list},
		{name: "of sockets", args: []string{"sockets", "--jsno"}, code: usage, want: "there is no option --jsno" + list},
		{name: "no value", args: []string{"--port"}, code: usage, want: "--port needs a value"},
		{name: "no value, short", args: []string{"-d"}, code: usage, want: "--root needs a value"},
		{name: "empty value", args: []string{"--log-level", ""}, code: usage, want: "--log-level needs a value"},
		{name: "empty text", args: []string{"--host="}, code: usage, want: "--host needs a value"},
	})
}

// Values come from files, other programs and people. None may break the one line of a message in two, or steer the
// terminal or the log viewer that shows it.
func TestControlCharacters(t *testing.T) {
	const bad, shown = "a\nrouse: b\r\x1b[31m\u202e\x7f", `a\nrouse: b\r\x1b[31m\u202e\x7f`
	const root = ": there is no such folder: make it, or name another"
	env := []string{"SERVER_HOST=127.0.0.1", "SERVER_PORT=0"}
	refused(t, []refusal{
		{name: "root", args: []string{"--root", "/" + bad}, env: env, code: config, want: "--root /" + shown + root},
		{name: "root, by variable", env: append(env, "SERVER_ROOT=/"+bad), code: config, want: "SERVER_ROOT /" + shown + root},
		{name: "command", args: []string{bad}, code: usage, want: `"` + shown + `" is neither a folder nor a command; commands are serve, run, dispatch, inetd, install, uninstall, status, renew, health, check, precompress, sockets, version, help`},
		{name: "two folders", args: []string{"serve", bad, bad}, code: usage, want: "one folder can be served, not 2: " + shown + " " + shown},
		{name: "option", args: []string{"--" + bad}, code: usage, want: "there is no option --" + shown + "; rouse --help lists them"},
		{name: "value", args: []string{"--log-level", bad}, code: usage, want: "--log-level " + shown + ": not one of error, warn, info, debug, trace"},
		{name: "value of a variable", env: []string{"SERVER_PORT=" + bad}, code: config, want: "SERVER_PORT=" + shown + ": not a number from 0 to 65535"},
		{name: "certificate", args: []string{"--port", "0", "--tls-cert", bad, "--tls-key", bad}, code: config, want: `--tls-cert: read certificate "` + shown + `": no such file or directory; check the path, or put the file there`},
		{name: "name of a socket", args: []string{"--fd", "7"}, env: []string{"LISTEN_FDS=1", "LISTEN_FDNAMES=" + strings.ReplaceAll(bad, ":", "")}, code: config,
			want: "--fd 7: no such socket was passed: LISTEN_FDS=1, and counted from 0 they are systemd:" + strings.ReplaceAll(shown, ":", "")},
		{name: "LISTEN_FDS", args: []string{"--fd", "7"}, env: []string{"LISTEN_FDS=" + bad}, code: config, want: "LISTEN_FDS=" + shown + " is not a number from 1 on: it says how many sockets were passed; unset it where there are none"},
		{name: "name of a variable", args: []string{"--fd", "99"}, env: []string{"SERVER_\n\x1bX=1"}, code: config, pattern: "fd:99: descriptor 99 is not open: .*",
			notices: []string{`SERVER_\n\x1bX is not a variable of Rouse and is ignored`}},
	})
}
