package install

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestState(t *testing.T) {
	listen := []string{"80", "127.0.0.1:8443"}
	l := standIn(t, true)
	u := writeJob(t, l, nil)
	ended := func(line string) answer {
		a := running(u.Service, 0)
		a.out = strings.Replace(a.out, "\tlast exit code = 0\n", "\t"+line+"\n", 1)
		return a
	}
	for _, c := range []struct {
		name    string
		told    answer
		want    State
		trouble string
	}{
		{"asleep", running(u.Service, 0), State{Sockets: "open", Listen: listen}, ""},
		{"awake", running(u.Service, os.Getpid()), State{Sockets: "open", Listen: listen, Awake: true, PID: os.Getpid()}, ""},
		{"never started", ended("last exit code = (never exited)"), State{Sockets: "open", Listen: listen}, ""},
		{"failed", ended("last exit code = 1"), State{Sockets: "open", Listen: listen}, "exit status 1"},
		{"wrong options", ended("last exit code = 78: EX_CONFIG"), State{Sockets: "open", Listen: listen}, "mistake in its options"},
		{"killed", ended("last terminating signal = Killed: 9"), State{Sockets: "open", Listen: listen}, "Killed: 9"},
		{"another", running("/Users/me/other.plist", 0), State{Sockets: "open", Listen: listen}, "from /Users/me/other.plist"},
		{"not loaded", notThere(), State{Sockets: "closed"}, "launchctl bootstrap gui/501 " + u.Service},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := standIn(t, true, c.told).State(t.Context(), u)
			if err != nil {
				t.Fatal(err)
			}
			if c.trouble == "" && got.Trouble != "" || !strings.Contains(as501(got.Trouble), c.trouble) || strings.Contains(got.Trouble, "\n") {
				t.Errorf("trouble %q, want %q", got.Trouble, c.trouble)
			}
			if age := time.Since(got.Knocked); got.Awake && (age < -2*time.Second || age > time.Hour) {
				t.Errorf("this process started %v ago", age)
			}
			got.Trouble, got.Knocked = "", time.Time{}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
	if got, err := standIn(t, true, running("/nowhere.plist", 0)).State(t.Context(), Units{Service: "/x/io.github.rouse-server.rouse.blog.plist"}); err != nil || got.Sockets != "closed" || !strings.Contains(got.Trouble, "no such file") {
		t.Errorf("without its file: %+v, %v", got, err)
	}
}

// Holders are in property lists of anybody's, in any format and spelling.
func TestHolders(t *testing.T) {
	const head = `<?xml version="1.0"?><plist version="1.0"><dict><key>Label</key><string>x</string><key>Sockets</key><dict>`
	files := map[string]string{
		"a.ssh.plist":    head + `<key>Listeners</key><dict><key>SockServiceName</key><string>ssh</string></dict></dict></dict></plist>`,
		"b.mixed.plist":  head + `<key>L</key><array><dict><key>SockServiceName</key><integer>8443</integer><key>SockNodeName</key><string>::1</string></dict><dict><key>SockServiceName</key><string>8080</string><key>SockFamily</key><string>IPv4</string></dict><dict><key>SockServiceName</key><string>53</string><key>SockType</key><string>dgram</string></dict></array><key>M</key><dict><key>SockPathName</key><string>/run/m.sock</string></dict><key>N</key><dict><key>SecureSocketWithKey</key><string>K</string></dict></dict></dict></plist>`,
		"c.away.plist":   head + `<key>L</key><dict><key>SockServiceName</key><integer>9</integer><key>SockFamily</key><string>IPv6</string></dict></dict></dict></plist>`,
		"d.none.plist":   `<?xml version="1.0"?><plist version="1.0"><dict><key>Label</key><string>x</string></dict></plist>`,
		"e.broken.plist": "<plist",
	}
	l := standIn(t, false, answer{call: "print system/a.ssh"}, answer{call: "print system/b.mixed"}, answer{call: "print system/c.away", status: 113})
	for name, text := range files {
		change(t, os.WriteFile(filepath.Join(l.folders[0], name), []byte(text), 0o644))
	}
	got, err := l.Holders(t.Context())
	a, b := filepath.Join(l.folders[0], "a.ssh.plist"), filepath.Join(l.folders[0], "b.mixed.plist")
	want := []Holder{{a, "22"}, {b, "[::1]:8443"}, {b, "0.0.0.0:8080"}, {b, "/run/m.sock"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
}

func TestShippedJobs(t *testing.T) {
	l := standIn(t, true, answer{call: "print gui/501/homebrew.mxcl.rouse"}, answer{call: "print gui/501/io.github.rouse-server.rouse", status: 113})
	file := filepath.Join(l.folders[0], "homebrew.mxcl.rouse.plist")
	change(t, os.WriteFile(file, nil, 0o644))
	got, err := l.Shipped(t.Context())
	if want := []Units{{Service: file}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
}
