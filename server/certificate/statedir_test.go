package certificate

import "testing"

func TestStateDir(t *testing.T) {
	for name, test := range map[string]struct {
		system      string
		environment map[string]string
		want        string // empty: an error
	}{
		"linux":                {"linux", map[string]string{"HOME": "/home/u"}, "/home/u/.local/state/rouse"},
		"macOS":                {"darwin", map[string]string{"HOME": "/Users/u"}, "/Users/u/Library/Application Support/rouse"},
		"xdg":                  {"linux", map[string]string{"HOME": "/home/u", "XDG_STATE_HOME": "/s"}, "/s/rouse"},
		"xdg on macOS":         {"darwin", map[string]string{"HOME": "/Users/u", "XDG_STATE_HOME": "/s"}, "/s/rouse"},
		"xdg without home":     {"linux", map[string]string{"XDG_STATE_HOME": "/s"}, "/s/rouse"},
		"xdg relative":         {"linux", map[string]string{"HOME": "/home/u", "XDG_STATE_HOME": "s"}, "/home/u/.local/state/rouse"},
		"systemd":              {"linux", map[string]string{"HOME": "/home/u", "XDG_STATE_HOME": "/s", "STATE_DIRECTORY": "/var/lib/rouse"}, "/var/lib/rouse"},
		"systemd with several": {"linux", map[string]string{"STATE_DIRECTORY": "/var/lib/a:/var/lib/b"}, "/var/lib/a"},
		"systemd relative":     {"linux", map[string]string{"HOME": "/home/u", "STATE_DIRECTORY": "a"}, "/home/u/.local/state/rouse"},
		"nothing":              {"linux", nil, ""},
		"home relative":        {"linux", map[string]string{"HOME": "u"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := stateDir(test.system, func(name string) string { return test.environment[name] })
			if got != test.want || (err == nil) != (test.want != "") {
				t.Errorf("got %q, %v", got, err)
			}
			if test.want == "" {
				checkError(t, err, "", "HOME", "XDG_STATE_HOME", "set one")
			}
		})
	}
}
