package badinput

import (
	"os"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// meant sets LISTEN_PID to the pid of the program that it starts.
func meant() []string { return []string{"sh", "-c", `export LISTEN_PID=$$; exec "$@"`, "sh"} }

// The variables of LISTEN_FDS come from a program, often a home-made one; its author must read here what it does wrong.
func TestListenFDsVariables(t *testing.T) {
	files := []*os.File{listenerOnly(t)}
	fds := func(text string) string {
		return "LISTEN_FDS=" + text + " is not a number from 1 on: it says how many sockets were passed; unset it where there are none"
	}
	pid := func(text string) string {
		return "LISTEN_PID=" + text + " is not a process id: it says which process the sockets of LISTEN_FDS are for"
	}
	names := func(text, holds, counts string) string {
		return "LISTEN_FDNAMES=" + text + " does not hold as many names (" + holds + ") as LISTEN_FDS=" + counts + " says: whoever sets them has to name every descriptor, with colons between"
	}
	refused(t, []refusal{
		{name: "count is no number", env: []string{"LISTEN_FDS=x"}, through: meant(), files: files, code: config, want: fds("x")},
		{name: "count is zero", env: []string{"LISTEN_FDS=0"}, through: meant(), files: files, code: config, want: fds("0")},
		{name: "count is negative", env: []string{"LISTEN_FDS=-1"}, through: meant(), files: files, code: config, want: fds("-1")},
		{name: "count is empty", env: []string{"LISTEN_FDS="}, through: meant(), files: files, code: config, want: fds("")},
		{name: "count is huge", env: []string{"LISTEN_FDS=99999999999999999999"}, through: meant(), files: files, code: config, want: fds("99999999999999999999")},
		{name: "count is wrong with --fd too", args: []string{"--fd", "0"}, env: []string{"LISTEN_FDS=x"}, files: files, code: config, want: fds("x")},
		{name: "count is wrong with systemd:", args: []string{"--listen", "systemd:web"}, env: []string{"LISTEN_FDS=x"}, through: meant(), files: files, code: config, want: "systemd:web: " + fds("x")},
		{name: "count is above what is open", env: []string{"LISTEN_FDS=2"}, through: meant(), files: files, code: config,
			pattern: `systemd:unknown\[1\]: descriptor 4 is .+; pass a listening socket there`}, // Go's runtime may have opened something there
		{name: "pid is no number", env: []string{"LISTEN_FDS=1", "LISTEN_PID=self"}, files: files, code: config, want: pid("self")},
		{name: "pid is zero", env: []string{"LISTEN_FDS=1", "LISTEN_PID=0"}, files: files, code: config, want: pid("0")},
		{name: "pidfd id is no number", env: []string{"LISTEN_FDS=1", "LISTEN_PIDFDID=x"}, through: meant(), files: files, code: config, want: "LISTEN_PIDFDID=x is not a number"},
		{name: "first descriptor is no number", env: []string{"LISTEN_FDS=1", "LISTEN_FDS_FIRST_FD=x"}, through: meant(), files: files, code: config, want: "LISTEN_FDS_FIRST_FD=x is not a descriptor number"},
		{name: "too few names", files: []*os.File{files[0], listenerOnly(t)}, listen: true, names: []string{"web"}, code: config, want: names("web", "1", "2")},
		{name: "too many names", files: files, listen: true, names: []string{"web", "admin"}, code: config, want: names("web:admin", "2", "1")},
	})
}

// An address that asks for a passed socket which is not there must list those that are.
func TestPassedSocketsByName(t *testing.T) {
	two := []*os.File{listenerOnly(t), listenerOnly(t)}
	web := []string{"web", "web"}
	const there = ": no such socket was passed; there are systemd:web[0], systemd:web[1]"
	const index = ": write NAME or NAME[INDEX], counting from 0"
	refused(t, []refusal{
		{name: "no such name", args: []string{"--listen", "systemd:blog"}, files: two, listen: true, names: web, code: config, want: "systemd:blog" + there},
		{name: "no such name, by variable", env: []string{"SERVER_LISTEN=systemd:blog"}, files: two, listen: true, names: web, code: config, want: "systemd:blog" + there},
		{name: "index too large", args: []string{"--listen", "systemd:web[9]"}, files: two, listen: true, names: web, code: config, want: "systemd:web[9]" + there},
		{name: "index is no number", args: []string{"--listen", "systemd:web[x]"}, files: two, listen: true, names: web, code: usage, want: "--listen: systemd:web[x]" + index},
		{name: "index is not closed", env: []string{"SERVER_LISTEN=systemd:web[0"}, files: two, listen: true, names: web, code: config, want: "SERVER_LISTEN: systemd:web[0" + index},
		{name: "nothing passed", args: []string{"--listen", "systemd:web"}, code: config, want: "systemd:web: no sockets were passed: LISTEN_FDS is not set: start it by a socket unit, or name another source"},
		{name: "passed to another process", args: []string{"--listen", "systemd:web"}, env: []string{"LISTEN_FDS=2", "LISTEN_PID=1"}, files: two, code: config,
			pattern: `systemd:web: no sockets were passed: LISTEN_FDS is set, but not for this process: LISTEN_PID=1 is another process \(this one is \d+\)`},
		{name: "passed to nobody", args: []string{"--listen", "systemd:"}, env: []string{"LISTEN_FDS=2"}, files: two, code: config,
			want: "systemd: no sockets were passed: LISTEN_FDS is set without LISTEN_PID, so its descriptors may be another process's and are not used: take one with --fd N, counted from 0"},
	})
}

// Nobody must believe that HTTP/3 works while it does not.
func TestHTTP3(t *testing.T) {
	tcp, _ := program.Listener(t)
	udp, _ := program.PacketConn(t)
	refused(t, []refusal{
		{name: "UDP socket", files: []*os.File{udp}, listen: true, names: []string{"quic"}, code: config, want: "systemd:quic (descriptor 3): " + noHTTP3},
		{name: "UDP socket beside a good one", files: []*os.File{tcp, udp}, listen: true, names: []string{"http", "quic"}, code: config, want: "systemd:quic (descriptor 4): " + noHTTP3},
		{name: "name h3", files: []*os.File{tcp}, listen: true, names: []string{"h3"}, code: config, want: "systemd:h3 (descriptor 3): " + noHTTP3},
		{name: "role h3", args: []string{"--listen", "h3=systemd:quic"}, files: []*os.File{udp}, listen: true, names: []string{"quic"}, code: usage, want: `--listen: address "h3=systemd:quic": ` + noHTTP3},
		{name: "role h3, by variable", env: []string{"SERVER_LISTEN=http=fd:3 h3=fd:4"}, files: []*os.File{tcp, udp}, code: config, want: `SERVER_LISTEN: address "h3=fd:4": ` + noHTTP3},
		{name: "role http on UDP", args: []string{"--listen", "http=fd:3"}, files: []*os.File{udp}, code: config, want: "fd:3 (descriptor 3): " + noHTTP3},
	})
}

// Sockets that are left over have clients who wait for nobody; whoever configured it so has to hear of it.
func TestWhatIsNotUsedIsSaid(t *testing.T) {
	other := []*os.File{listenerOnly(t)}
	served(t, []start{
		{name: "passed and not taken", args: []string{"--listen", "systemd:web"}, listen: true, names: []string{"web", "blog"}, more: other, scheme: "http",
			notices: []string{"systemd:blog (descriptor 4) was passed, but no address takes it: its clients wait for nobody"}},
		{name: "LISTEN_FDS without LISTEN_PID", env: []string{"LISTEN_FDS=1"}, stdin: true, scheme: "http",
			notices: []string{"LISTEN_FDS is set without LISTEN_PID, so its descriptors may be another process's and are not used: take one with --fd N, counted from 0"}},
		{name: "--fd with LISTEN_FDS without LISTEN_PID", args: []string{"--fd", "0"}, env: []string{"LISTEN_FDS=1"}, scheme: "http"},
	})
}
