package install

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzPropertyList reads property lists that somebody edited: what is taken has values of known types alone, and no key twice,
// whichever is meant.
func FuzzPropertyList(f *testing.F) {
	for _, text := range []string{
		"<plist><dict><key>a</key><string>b</string></dict></plist>", "<plist><dict><key>a</key><integer>0644</integer></dict></plist>", "<plist><dict><key>a</key><true/><key>a</key><false/></dict></plist>",
		"<plist><array><dict/><string>&lt;</string></array></plist>", "<plist><dict><string/></dict></plist>", "<plist/>", "<plist><true/><true/></plist>", "<!DOCTYPE plist [<!ENTITY a \"b\">]><plist><string>&a;</string></plist>", "bplist00",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		value, err := parsePropertyList(text)
		if err != nil {
			return
		}
		knownTypes(t, value)
	})
}

func knownTypes(t *testing.T, value any) {
	t.Helper()
	switch value := value.(type) {
	case map[string]any:
		for _, one := range value {
			knownTypes(t, one)
		}
	case []any:
		for _, one := range value {
			knownTypes(t, one)
		}
	case string, int, bool:
	default:
		t.Errorf("%T", value)
	}
}

// FuzzListedSockets reads anybody's property lists, in all formats, for the addresses that they hold: what is found is an address
// that can be compared with ours.
func FuzzListedSockets(f *testing.F) {
	for _, socket := range []string{"<key>SockServiceName</key><string>80</string>", "<key>SockNodeName</key><string>::1</string><key>SockServiceName</key><integer>80</integer>", "<key>SockPathName</key><string>/a</string>", "<key>SockType</key><string>dgram</string><key>SockServiceName</key><string>ntp</string>"} {
		f.Add([]byte("<plist><dict><key>Sockets</key><dict><key>a</key><dict>" + socket + "</dict></dict></dict></plist>"))
		f.Add([]byte("<plist><dict><key>Sockets</key><dict><key>a</key><array><dict>" + socket + "</dict><true/></array></dict></dict></plist>"))
	}
	f.Add([]byte("bplist00\xd0\x08\x00\x00\x00\x00\x00\x00\x01\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x09"))
	f.Add([]byte("{ Sockets = { a = { SockServiceName = 80; }; }; }"))
	path := filepath.Join(f.TempDir(), "a.plist")
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		all, err := listedSockets(path, true)
		if err != nil && (len(all) > 0 || !strings.Contains(err.Error(), path)) {
			t.Errorf("%q with %v", all, err)
		}
		for _, address := range all {
			if a, err := readAddress(address); err == nil && !a.overlaps(a) {
				t.Errorf("%q is not itself", address)
			}
		}
	})
}

// FuzzPrinted reads what launchctl prints, which is for people: what is found stands in a line of its own.
func FuzzPrinted(f *testing.F) {
	f.Add("gui/501/site = {\n\tpath = /a b.plist\n\tstate = running\n\tpid = 42\n\tlast exit code = 78: EX_CONFIG\n\t\tpid = 7\n}\n")
	f.Add("\tpid = x\n\tstate\n\tlast terminating signal = Killed: 9\n\tpid = 99999999999999999999")
	f.Fuzz(func(t *testing.T, text string) {
		p := parsePrint(text)
		for name, value := range map[string]string{"path": p.path, "state": p.state, "last exit code": p.lastExit, "last terminating signal": p.signal} {
			if strings.Contains(value, "\n") || value != "" && !strings.Contains(text, value) {
				t.Errorf("%s is %q", name, value)
			}
		}
		if p.pid != 0 && p.pid != 1<<63-1 && p.pid != -1<<63 && !strings.Contains(strings.ReplaceAll(text, "0", ""), strings.ReplaceAll(strings.TrimPrefix(fmt.Sprint(p.pid), "-"), "0", "")) {
			t.Errorf("process %d of %q", p.pid, text)
		}
		p.trouble("/a.plist")
	})
}

// FuzzAddress holds an address of the options to this: it overlaps itself, and two overlap each other or do not.
func FuzzAddress(f *testing.F) {
	for _, v := range [][2]string{{"80", "127.0.0.1:80"}, {"[::]:80", "0.0.0.0:80"}, {"udp:53", "53"}, {"/run/a", "@a"}, {":80", "80"}, {"[::1]:", "x:1"}, {"udp:/a", "/a"}, {"[fe80::1%eth0]:80", "80"}} {
		f.Add(v[0], v[1])
	}
	f.Fuzz(func(t *testing.T, one, other string) {
		a, err := readAddress(one)
		if err != nil {
			if !strings.Contains(err.Error(), one) {
				t.Errorf("%q: %v", one, err)
			}
			return
		}
		if !a.overlaps(a) {
			t.Errorf("%q does not overlap itself: %+v", one, a)
		}
		if b, err := readAddress(other); err == nil && a.overlaps(b) != b.overlaps(a) {
			t.Errorf("%q overlaps %q: %t, the other way %t", one, other, a.overlaps(b), b.overlaps(a))
		}
	})
}

// FuzzRecord reads the record of an installation, which root acts on: one that is taken names no file outside of the folders of
// units and of the site, and no unit of others.
func FuzzRecord(f *testing.F) {
	sys := System{OS: "linux"}
	paths := sys.Paths("site")
	for _, path := range []string{paths.Unit(".service"), paths.Units + "/../passwd", "/etc/passwd", paths.Units + "//x", paths.Site + "/x"} {
		text, err := json.Marshal(map[string]any{"name": "site", "files": []map[string]any{{"path": path}}})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(`{"name":"other"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var r Record
		if json.Unmarshal(text, &r) != nil || r.check(sys, "site") != nil {
			return
		}
		for _, file := range r.Files {
			if folder := filepath.Dir(filepath.Clean(file.Path)); folder != paths.Units && folder != paths.Site {
				t.Errorf("%s is a file of the site", file.Path)
			}
		}
		for _, unit := range r.Units.all() {
			if r.file(unit) == nil && (!strings.HasPrefix(unit, "rouse-site") || strings.Contains(unit, "/")) {
				t.Errorf("%q is a unit of the site", unit)
			}
		}
	})
}
