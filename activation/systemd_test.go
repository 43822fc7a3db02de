package activation

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

const ownPid = 4711

// ownID is what a process whose pidfd has the number 99 knows of itself; noID is one on an older kernel.
func ownID() (uint64, bool) { return 99, true }
func noID() (uint64, bool)  { return 0, false }

// variablesOf makes a lookup of NAME=value entries.
func variablesOf(entries ...string) map[string]string {
	env := map[string]string{}
	for _, e := range entries {
		name, value, _ := strings.Cut(e, "=")
		env[name] = value
	}
	return env
}

// parse reads the variables as a process with ownPid would, checks that none of them is left, and returns the result.
func parse(t *testing.T, id func() (uint64, bool), entries ...string) listenFDs {
	t.Helper()
	env := variablesOf(append(entries, "OTHER=x")...)
	l := takeListenFDs(
		func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		func(name string) error { delete(env, name); return nil },
		ownPid, id)
	if left := slices.Collect(maps.Keys(env)); !slices.Equal(left, []string{"OTHER"}) {
		t.Errorf("%q: %q are left for child processes to believe", entries, left)
	}
	return l
}

// The sockets of a systemd unit are found, numbered and named exactly when libsystemd would find them.
func TestListenFDs(t *testing.T) {
	for _, c := range []struct {
		name  string
		env   string // space-separated
		id    func() (uint64, bool)
		wants string // SOURCE=NUMBER of each, in order
	}{
		{"one", "LISTEN_PID=4711 LISTEN_FDS=1", ownID, "systemd:unknown=3"},
		{"two without names", "LISTEN_PID=4711 LISTEN_FDS=2", ownID, "systemd:unknown[0]=3 systemd:unknown[1]=4"},
		{"named", "LISTEN_PID=4711 LISTEN_FDS=2 LISTEN_FDNAMES=http:https", ownID, "systemd:http=3 systemd:https=4"},
		{"names that repeat", "LISTEN_PID=4711 LISTEN_FDS=4 LISTEN_FDNAMES=web:quic:web:web", ownID, "systemd:web[0]=3 systemd:quic=4 systemd:web[1]=5 systemd:web[2]=6"},
		{"empty names count", "LISTEN_PID=4711 LISTEN_FDS=3 LISTEN_FDNAMES=:a:", ownID, "systemd:[0]=3 systemd:a=4 systemd:[2]=5"},
		{"one empty name", "LISTEN_PID=4711 LISTEN_FDS=1 LISTEN_FDNAMES=", ownID, "systemd:[0]=3"},
		{"own pidfd", "LISTEN_PID=4711 LISTEN_PIDFDID=99 LISTEN_FDS=1", ownID, "systemd:unknown=3"},
		{"unknown pidfd", "LISTEN_PID=4711 LISTEN_PIDFDID=98 LISTEN_FDS=1", noID, "systemd:unknown=3"},
		{"systemfd's first number", "LISTEN_PID=4711 LISTEN_FDS=2 LISTEN_FDS_FIRST_FD=5", ownID, "systemd:unknown[0]=5 systemd:unknown[1]=6"},
		{"first number 0", "LISTEN_PID=4711 LISTEN_FDS=1 LISTEN_FDS_FIRST_FD=0", ownID, "systemd:unknown=0"},
		{"nothing", "", ownID, ""},
		{"no count", "LISTEN_PID=4711 LISTEN_FDNAMES=a", ownID, ""},
		{"another pid", "LISTEN_PID=4712 LISTEN_FDS=1", ownID, ""},
		{"another pid, and nonsense that is not ours to judge", "LISTEN_PID=4712 LISTEN_PIDFDID=x LISTEN_FDS=x LISTEN_FDNAMES=a:b", ownID, ""},
		{"another pidfd", "LISTEN_PID=4711 LISTEN_PIDFDID=98 LISTEN_FDS=1", ownID, ""},
		{"another pidfd, and nonsense", "LISTEN_PID=4711 LISTEN_PIDFDID=98 LISTEN_FDS=x", ownID, ""},
	} {
		l := parse(t, c.id, strings.Fields(c.env)...)
		mine, _, err := l.mine()
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if got := written(mine); got != c.wants {
			t.Errorf("%s: got %q, want %q", c.name, got, c.wants)
		}
	}
}

// written writes descriptors as SOURCE=NUMBER.
func written(descriptors []Descriptor) string {
	var words []string
	for _, d := range descriptors {
		words = append(words, d.Source+"="+string(rune('0'+d.Number)))
	}
	return strings.Join(words, " ")
}

// A user whose activator passes nonsense reads which variable is wrong, and the program does not serve by guesswork.
func TestListenFDsErrors(t *testing.T) {
	for _, c := range []struct{ env, want string }{
		{"LISTEN_PID=x LISTEN_FDS=1", "LISTEN_PID=x is not a process id"},
		{"LISTEN_PID=0 LISTEN_FDS=1", "LISTEN_PID=0 is not a process id"},
		{"LISTEN_PID=-4711 LISTEN_FDS=1", "LISTEN_PID=-4711"},
		{"LISTEN_PID=4711x LISTEN_FDS=1", "LISTEN_PID=4711x"},
		{"LISTEN_PID=x LISTEN_PIDFDID=x LISTEN_FDS=x", "LISTEN_PID=x"}, // the first that is wrong
		{"LISTEN_PID=4711 LISTEN_PIDFDID= LISTEN_FDS=1", "LISTEN_PIDFDID= is not a number"},
		{"LISTEN_PID=4711 LISTEN_PIDFDID=-1 LISTEN_FDS=x", "LISTEN_PIDFDID=-1 is not a number"},
		{"LISTEN_PID=4711 LISTEN_PIDFDID=18446744073709551616 LISTEN_FDS=1", "LISTEN_PIDFDID=18446744073709551616"},
		{"LISTEN_PID=4711 LISTEN_FDS=", "LISTEN_FDS= is not a number"},
		{"LISTEN_PID=4711 LISTEN_FDS=0", "LISTEN_FDS=0"},
		{"LISTEN_PID=4711 LISTEN_FDS=-1", "LISTEN_FDS=-1"},
		{"LISTEN_PID=4711 LISTEN_FDS=one", "LISTEN_FDS=one"},
		{"LISTEN_PID=4711 LISTEN_FDS=2147483645", "LISTEN_FDS=2147483645"},
		{"LISTEN_PID=4711 LISTEN_FDS=2147483644", "LISTEN_FDS=2147483644"}, // in libsystemd's bounds, and a lie
		{"LISTEN_PID=4711 LISTEN_FDS=x LISTEN_FDS_FIRST_FD=x", "LISTEN_FDS_FIRST_FD=x is not a descriptor number"},
		{"LISTEN_PID=4711 LISTEN_FDS=1 LISTEN_FDS_FIRST_FD=-1", "LISTEN_FDS_FIRST_FD=-1"},
		{"LISTEN_PID=4711 LISTEN_FDS=1 LISTEN_FDS_FIRST_FD=4294967296", "LISTEN_FDS_FIRST_FD=4294967296"},
		{"LISTEN_PID=4711 LISTEN_FDS=2 LISTEN_FDNAMES=a", "LISTEN_FDNAMES=a does not hold as many names (1) as LISTEN_FDS=2"},
		{"LISTEN_PID=4711 LISTEN_FDS=1 LISTEN_FDNAMES=a:b", "LISTEN_FDNAMES=a:b does not hold as many names (2)"},
		{"LISTEN_PID=4711 LISTEN_FDS=1 LISTEN_FDNAMES=a:", "LISTEN_FDNAMES=a: does not hold as many names (2)"},
	} {
		l := parse(t, ownID, strings.Fields(c.env)...)
		if l.err == nil || !strings.Contains(l.err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.env, l.err, c.want)
		}
		if len(l.descriptors) > 0 {
			t.Errorf("%s: %d descriptors beside the error", c.env, len(l.descriptors))
		}
		if _, _, err := l.mine(); err == nil {
			t.Errorf("%s: the error is not told to who asks for sockets", c.env)
		}
		if _, err := l.named(address(t, "systemd:a")); err == nil || !strings.HasPrefix(err.Error(), "systemd:a: ") {
			t.Errorf("%s: systemd:a gives %v", c.env, err)
		}
	}
}

func address(t testing.TB, text string) Address {
	t.Helper()
	a, err := ParseAddress(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Sockets without LISTEN_PID may be a parent's: they are served only when asked for, and the user reads how.
func TestListenFDsWithoutPid(t *testing.T) {
	for _, env := range []string{"LISTEN_FDS=2 LISTEN_FDNAMES=a:b", "LISTEN_PID= LISTEN_FDS=2 LISTEN_FDNAMES=a:b", "LISTEN_PIDFDID=98 LISTEN_FDS=2 LISTEN_FDNAMES=a:b"} {
		l := parse(t, ownID, strings.Fields(env)...)
		mine, notices, err := l.mine()
		if err != nil || len(mine) > 0 || len(notices) != 1 || !strings.Contains(notices[0], "without LISTEN_PID") || !strings.Contains(notices[0], "--fd") {
			t.Errorf("%s: %v, %q, %v", env, mine, notices, err)
		}
		if d, err := (&Opener{listenFDs: l}).numbered(1); err != nil || d.Number != 4 || d.Source != "systemd:b" {
			t.Errorf("%s: --fd 1 is %+v, %v", env, d, err)
		}
	}
	for _, env := range []string{"LISTEN_FDS=0", "LISTEN_FDS=2 LISTEN_FDNAMES=a"} { // nonsense is told to who asks for it
		l := parse(t, ownID, strings.Fields(env)...)
		if _, notices, err := l.mine(); err != nil || len(notices) != 1 {
			t.Errorf("%s: %q, %v", env, notices, err)
		}
		if _, err := (&Opener{listenFDs: l}).numbered(0); err == nil {
			t.Errorf("%s: --fd 0 gives no error", env)
		}
	}
	l := parse(t, ownID, "LISTEN_PID=4712", "LISTEN_FDS=1")
	if _, notices, _ := l.mine(); len(notices) != 1 || !strings.Contains(notices[0], "4712") || !strings.Contains(notices[0], "4711") {
		t.Errorf("another process's sockets: %q", notices)
	}
}

// A user picks sockets of a unit by name and index, and is told what there is when there is no such one.
func TestNamed(t *testing.T) {
	l := parse(t, ownID, "LISTEN_PID=4711", "LISTEN_FDS=4", "LISTEN_FDNAMES=web:quic:web:")
	for text, want := range map[string]string{
		"systemd:":         "systemd:web[0]=3 systemd:quic=4 systemd:web[1]=5 systemd:[3]=6",
		"systemd:web":      "systemd:web[0]=3 systemd:web[1]=5",
		"systemd:web[0]":   "systemd:web[0]=3",
		"systemd:web[1]":   "systemd:web[1]=5",
		"systemd:[3]":      "systemd:[3]=6", // an index without a name counts all
		"systemd:quic":     "systemd:quic=4",
		"systemd:quic[0]":  "systemd:quic=4",
		"systemd:web[2]":   "error systemd:web[2]: no such socket was passed; there are systemd:web[0], systemd:quic, systemd:web[1], systemd:[3]",
		"systemd:other":    "error systemd:other: no such socket was passed; there are systemd:web[0]",
		"systemd:other[0]": "error systemd:other[0]: no such socket",
		"systemd:WEB":      "error systemd:WEB: no such socket",
	} {
		found, err := l.named(address(t, text))
		got := written(found)
		if err != nil {
			got = "error " + err.Error()
		}
		if !strings.HasPrefix(got, want) || err == nil && got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	for env, want := range map[string]string{
		"":                             "LISTEN_FDS is not set: start it by a socket unit",
		"LISTEN_PID=4712 LISTEN_FDS=1": "LISTEN_PID=4712 is another process",
		"LISTEN_FDS=1":                 "--fd",
	} {
		if _, err := parse(t, ownID, strings.Fields(env)...).named(address(t, "systemd:web")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("with %q: %v, want %q", env, err, want)
		}
	}
}

// --fd N of static-web-server is the N-th passed socket, and descriptor N where none was passed.
func TestNumbered(t *testing.T) {
	passed := "LISTEN_PID=4711 LISTEN_FDS=2 LISTEN_FDNAMES=a:b"
	for _, c := range []struct {
		env  string
		n    uint
		want string
	}{
		{passed, 0, "systemd:a=3"},
		{passed, 1, "systemd:b=4"},
		{passed, 2, "error --fd 2: no such socket was passed: LISTEN_FDS=2, and counted from 0 they are systemd:a, systemd:b"},
		{passed, 1 << 40, "error --fd 1099511627776: no such socket"},
		{"", 0, "fd:0=0"},
		{"", 3, "fd:3=3"},
		{"", 1 << 31, "error --fd is larger than any descriptor number"},
		{"LISTEN_PID=4712 LISTEN_FDS=2", 3, "fd:3=3"}, // another process's
		{"LISTEN_PID=4711 LISTEN_FDS=x", 0, "error LISTEN_FDS=x"},
	} {
		d, err := (&Opener{listenFDs: parse(t, ownID, strings.Fields(c.env)...)}).numbered(c.n)
		got := ""
		if err != nil {
			got = "error " + err.Error()
		} else {
			got = written([]Descriptor{d})
		}
		if !strings.HasPrefix(got, c.want) {
			t.Errorf("%s, --fd %d: %q, want %q", c.env, c.n, got, c.want)
		}
	}
}
