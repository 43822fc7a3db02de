package badinput

import (
	"os"
	"runtime"
	"strings"
	"testing"
)

// Each row is an address that no environment could make right. By flag that is a wrong command line, by variable a wrong
// configuration.
func TestAddresses(t *testing.T) {
	const example = " is not an address: write SOURCE:DETAIL, such as systemd:https, fd:3 or tcp:127.0.0.1:8080"
	const descriptor = ": write fd:N with the number of a descriptor that is passed, such as fd:3"
	const port = ": write tcp:HOST:PORT, tcp:[IPV6]:PORT or tcp:PORT, with a port from 0 to 65535"
	const mode = " is not an octal mode such as 0660, and at most 0777"
	const escape = ": write %25 for a percent sign"
	long := "/" + strings.Repeat("x", 200)
	tooLong := "unix:" + long + ": the path has 201 bytes, a unix socket's path at most 107: choose a shorter one"
	if runtime.GOOS == "darwin" {
		tooLong = strings.Replace(tooLong, "107", "103", 1)
	}
	var refusals []refusal
	for _, c := range []struct{ address, want string }{
		{"fd", `"fd"` + example},
		{"/run/rouse.sock", `"/run/rouse.sock"` + example},
		{"https=", `"https="` + example},
		{"8080", `"8080"` + example},
		{"foo:3", `unknown source "foo" in address "foo:3": sources are systemd, launchd, fd, inetd, tcp, udp, unix, handoff, dispatch`},
		{"localhost:8080", `unknown source "localhost" in address "localhost:8080": sources are systemd, launchd, fd, inetd, tcp, udp, unix, handoff, dispatch`},
		{"=fd:3", `address "=fd:3" has nothing before the =: write ROLE=SOURCE:DETAIL, or leave the = out`},
		{"htps=fd:3", `address "htps=fd:3": unknown role "htps" (did you mean https?): roles are https, http and admin`},
		{"h3=fd:3", `address "h3=fd:3": Rouse does not speak HTTP/3 yet, so a UDP socket, or the role h3, cannot be served; leave it out`},
		{"fd:x", `address "fd:x"` + descriptor},
		{"fd:", `address "fd:"` + descriptor},
		{"fd:-1", `address "fd:-1"` + descriptor},
		{"fd:+3", `address "fd:+3"` + descriptor},
		{"fd:99999999999", `address "fd:99999999999"` + descriptor},
		{"fd:3?mode=0600", `address "fd:3?mode=0600" has no option "mode": its options are channel, from, accept, proxy`},
		{"systemd:web?proxy=v3", `address "systemd:web?proxy=v3": proxy=v3 is no version of the PROXY protocol: write v1, v2, any`},
		{"inetd:junk", `address "inetd:junk": nothing may follow inetd: (the socket is descriptor 0; fd:N names another)`},
		{"tcp:", `address "tcp:"` + port},
		{"tcp:localhost", `address "tcp:localhost"` + port},
		{"tcp:127.0.0.1", `address "tcp:127.0.0.1"` + port},
		{"tcp:[::1]", `address "tcp:[::1]"` + port},
		{"tcp:::1:80", `address "tcp:::1:80"` + port},
		{"tcp:127.0.0.1:70000", `address "tcp:127.0.0.1:70000"` + port},
		{"tcp:127.0.0.1:http", `address "tcp:127.0.0.1:http"` + port},
		{"tcp:127.0.0.1:-1", `address "tcp:127.0.0.1:-1"` + port},
		{"unix:", "unix: names no path: write unix:/run/rouse.sock"},
		{"unix:" + long, tooLong},
		{"unix:sock?mode=99", "unix:sock: mode=99" + mode},
		{"unix:sock?mode=rw", "unix:sock: mode=rw" + mode},
		{"unix:sock?mode=4755", "unix:sock: mode=4755" + mode},
		{"unix:sock?mod=0600", `address "unix:sock?mod=0600" has no option "mod": its options are mode, owner, group, proxy`},
		{"unix:so%zzck", `path of address "unix:so%zzck": invalid URL escape "%zz"` + escape},
		{"unix:sock?owner=%zz", `options of address "unix:sock?owner=%zz": invalid URL escape "%zz"` + escape},
		{"unix:so%00ck", `unix:"so\x00ck": the path holds a NUL byte`},
	} {
		refusals = append(refusals,
			refusal{name: c.address, args: []string{"--listen", c.address}, code: usage, want: "--listen: " + c.want},
			refusal{name: c.address + ", by variable", env: []string{"SERVER_LISTEN=" + c.address}, code: config, want: "SERVER_LISTEN: " + c.want})
	}
	refused(t, append(refusals,
		refusal{name: "none", args: []string{"--listen", ""}, code: usage, want: "--listen names no address: write SOURCE:DETAIL, such as systemd:https, fd:3 or tcp:127.0.0.1:8080"},
		refusal{name: "none but commas, by variable", env: []string{"SERVER_LISTEN=, ,"}, code: config, want: "SERVER_LISTEN names no address: write SOURCE:DETAIL, such as systemd:https, fd:3 or tcp:127.0.0.1:8080"},
		refusal{name: "the second of two", args: []string{"--listen", "tcp:127.0.0.1:0", "--listen", "fd:x"}, code: usage, want: `--listen: address "fd:x"` + descriptor},
	))
}

// These addresses are well written, but this machine does not have what they ask for: a change of configuration mends it.
func TestAddressesThatAreNotHere(t *testing.T) {
	dir := t.TempDir()
	file := write(t, dir, "file", "x", 0o600)
	const folder = " has to exist and this user to have write access to it: "
	closed := dir + "/closed"
	if err := os.Mkdir(closed, 0o500); err != nil {
		t.Fatal(err)
	}
	refused(t, []refusal{
		{name: "address of another machine", args: []string{"--listen", "tcp:192.0.2.1:0"}, code: config, want: "tcp:192.0.2.1:0: this machine has no such address: cannot assign requested address"},
		{name: "address of another machine, as host", args: []string{"--host", "192.0.2.1", "--port", "0"}, code: config, want: "tcp:192.0.2.1:0: this machine has no such address: cannot assign requested address"},
		{name: "host that cannot exist", args: []string{"--host", "a..b", "--port", "0"}, code: config, want: "tcp:a..b:0: lookup a..b: no such host"},
		{name: "unix path is a file", args: []string{"--listen", "unix:" + file}, code: config, want: "unix:" + file + ": there is a file of that name that is no socket: remove it, or choose another path"},
		{name: "unix path without folder", args: []string{"--listen", "unix:" + dir + "/no/sock"}, code: config, want: "unix:" + dir + "/no/sock: the folder " + dir + "/no" + folder + "no such file or directory"},
		{name: "unix path in a closed folder", args: []string{"--listen", "unix:" + closed + "/sock"}, through: withoutCapabilities(t), code: config, want: "unix:" + closed + "/sock: the folder " + closed + folder + "permission denied"},
		{name: "unknown owner", args: []string{"--listen", "unix:sock?owner=nobody-here"}, code: config, want: "unix:sock: owner=nobody-here is neither a user of this machine nor a number: user: unknown user nobody-here"},
		{name: "unknown group", args: []string{"--listen", "unix:sock?group=nobody-here"}, code: config, want: "unix:sock: group=nobody-here is neither a group of this machine nor a number: group: unknown group nobody-here"},
		{name: "good socket, missing root", args: []string{"--listen", "unix:sock", "--root", dir + "/no"}, code: config, want: "--root " + dir + "/no: there is no such folder: make it, or name another"},
	})
	if runtime.GOOS != "darwin" {
		const macOS = ": launchd belongs to macOS and this is linux: use sockets of another activator: unsupported operation"
		refused(t, []refusal{
			{name: "launchd", args: []string{"--listen", "launchd:Listeners"}, code: config, want: `take launchd socket "Listeners"` + macOS},
			{name: "launchd, usual names", env: []string{"SERVER_LISTEN=launchd:"}, code: config, want: `no sockets under listeners, Listeners, https, http: take launchd socket "listeners"` + macOS},
		})
	}
}
