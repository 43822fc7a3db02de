package install

import (
	"maps"
	"strings"
	"testing"

	"howett.net/plist"
)

// each is a job that launchd takes, with one thing in another way.
func each(key string, value any) map[string]any {
	job := map[string]any{
		"Label":            "io.github.rouse-server.rouse.blog",
		"ProgramArguments": []any{"/usr/local/bin/rouse", "serve"},
		"Sockets":          map[string]any{"https": map[string]any{"SockServiceName": "8443"}},
	}
	if value == nil {
		delete(job, key)
	} else {
		job[key] = value
	}
	return job
}

func sockets(entries ...any) map[string]any { return map[string]any{"https": entries} }

func TestPropertyListsThatLaunchdWouldNotTake(t *testing.T) {
	port := map[string]any{"SockServiceName": "8443"}
	with := func(key string, value any) map[string]any {
		socket := maps.Clone(port)
		socket[key] = value
		return sockets(socket)
	}
	for _, c := range []struct {
		key   string
		value any
		want  string // in the error; empty: launchd takes it
	}{
		{"ProcessType", "Interactive", ""},
		{"Sockets", sockets(port, port), ""},
		{"Sockets", map[string]any{"https": port}, ""},
		{"Sockets", sockets(map[string]any{"SockPathName": "/run/x", "SockPathMode": 0o666}), ""},
		{"Sockets", with("SockServiceName", 443), ""},
		{"Sockets", with("SockServiceName", "https"), ""},
		{"RunAtLoad", false, ""},

		{"Label", nil, "Label is missing"},
		{"Label", "io.github.rouse-server.rouse", `not the file's name "io.github.rouse-server.rouse.blog.plist"`},
		{"ProgramArguments", nil, "ProgramArguments is missing"},
		{"ProgramArguments", []any{"rouse"}, "not an absolute path"},
		{"ProgramArguments", "/usr/local/bin/rouse serve", "not an array"},
		{"ProcesType", "Interactive", `key "ProcesType" is not one`},
		{"ProcessType", "interactive", "none of"},
		{"ExitTimeOut", "20", "not an integer"},
		{"ExitTimeOut", -1, "not an integer from 0"},
		{"StandardErrorPath", "~/Library/Logs/rouse.log", "not an absolute path"},
		{"EnvironmentVariables", map[string]any{"SERVER_PORT": 80}, "SERVER_PORT: 80 is not a string"},
		{"EnvironmentVariables", map[string]any{}, "not a dictionary with something in it"},
		{"RunAtLoad", "yes", "neither true nor false"},
		{"RunAtLoad", true, "without a client"},
		{"KeepAlive", true, "without a client"},
		{"StartCalendarInterval", map[string]any{"Hour": 24}, "from 0 to 23"},
		{"StartCalendarInterval", map[string]any{"Hour": 4}, "without a client"},
		{"Sockets", map[string]any{"https": []any{}}, "no socket in it"},
		{"Sockets", map[string]any{"https": "8443"}, "not a dictionary"},
		{"Sockets", with("SockServiceName", 0), "from 1 to 65535"},
		{"Sockets", with("SockServiceName", "65536"), "from 1 to 65535"},
		{"Sockets", with("SockType", "raw"), "none of"},
		{"Sockets", with("SockFamily", "v6"), "none of"},
		{"Sockets", with("SockPathMode", 0o600), "without SockPathName"},
		{"Sockets", with("SockPathName", "/run/x"), "exclude each other"},
		{"Sockets", sockets(map[string]any{"SockNodeName": "::1"}), "opens nothing"},
		{"Sockets", sockets(map[string]any{"SockPathName": "/run/x", "SockPathMode": 666}), "in decimal"},
		{"Sockets", sockets(map[string]any{"SockPathName": "/run/x", "SockPathMode": "0666"}), "in decimal"},
		{"Sockets", sockets(map[string]any{"SockPathName": "/" + strings.Repeat("x", 103)}), "at most 103"},
		{"Sockets", sockets(port, map[string]any{"SockServiceName": "8443", "SockType": "dgram"}), "different types"},
	} {
		text, err := plist.Marshal(each(c.key, c.value), plist.XMLFormat)
		if err != nil {
			t.Fatal(err)
		}
		err = CheckPropertyList("/Library/LaunchDaemons/io.github.rouse-server.rouse.blog.plist", text)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s %v: %v, want %q", c.key, c.value, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%s %v: more than a line: %v", c.key, c.value, err)
		}
	}
}

// What somebody wrote by hand is held to the same, and to more than Go's value can tell: see parsePropertyList.
func TestPropertyListsOfOtherKinds(t *testing.T) {
	binary, err := plist.Marshal(each("", ""), plist.BinaryFormat)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"binary": binary, "empty": nil, "text": []byte("Label = x"), "other root": []byte("<dict></dict>")} {
		if err := CheckPropertyList("/x.plist", text); err == nil || !strings.Contains(err.Error(), "/x.plist is not a property list") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Every key that Rouse writes is in the table.
func TestEveryKeyOfAJobIsKnown(t *testing.T) {
	j := job{Label: "x", ProgramArguments: []string{"/x"}, UserName: "_www", EnvironmentVariables: map[string]string{"A": "b"},
		StartCalendarInterval: &calendar{1, 2, 3}, KeepAlive: &keepAlive{}, RunAtLoad: true, ProcessType: "Background", ExitTimeOut: 1, StandardErrorPath: "/x.log"}
	if _, err := j.encode("/x.plist"); err != nil {
		t.Error(err)
	}
	j.StartCalendarInterval, j.KeepAlive, j.RunAtLoad = nil, nil, false
	j.Sockets = map[string][]jobSocket{"a": {{SockType: "dgram", SockNodeName: "::1", SockServiceName: "53"}}, "b": {{SockPathName: "/x", SockPathMode: 0o600}}}
	if _, err := j.encode("/x.plist"); err != nil {
		t.Error(err)
	}
}
