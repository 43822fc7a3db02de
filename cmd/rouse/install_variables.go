package main

import (
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/rouse-server/rouse/packaging/install"
)

// serveVariables are the options of serve as its service gets them: as variables, or, for secrets, as files that systemd hands
// over. Of an option that stands there twice the last one counts.
func (i *installing) serveVariables(site *install.Site, s *settings, words []word) error {
	site.Reads = []install.Access{{Option: "--root", Path: s.Root}}
	site.Variables = append([]install.Variable{{Name: "SERVER_ROOT", Value: s.Root}}, site.Variables...)
	secrets := map[string]string{}
	if runtime.GOOS == "linux" {
		secrets = map[string]string{"tls-cert": "tls.crt", "tls-key": "tls.key", "basic-auth-file": "htpasswd"}
	}
	for n, w := range words {
		o := s.option(w.name)
		again := slices.ContainsFunc(words[n+1:], func(later word) bool { return later.name == w.name })
		switch id := secrets[strings.TrimPrefix(o.means+w.name, "http2-")]; {
		case again || slices.Contains([]string{"root", "host", "port"}, w.name):
		case id != "":
			site.Credentials = append(site.Credentials, install.Credential{ID: id, Path: w.value})
		case o.variable == "":
			return usage("--%s is nothing for a service: leave it out", w.name)
		default:
			site.Variables = append(site.Variables, install.Variable{Name: o.variable, Value: w.value})
			if fileOption(o) && !writesTo(w.name) {
				site.Reads = append(site.Reads, install.Access{Option: "--" + w.name, Path: w.value})
			}
		}
		if w.name == "log-file" || w.name == "access-log" {
			if err := logsBelow(site, w, i.User); err != nil {
				return err
			}
		}
	}
	for n, host := range s.Advanced.VirtualHosts {
		for key, path := range map[string]string{"root": host.Root, "tls-cert": host.TLSCert, "tls-key": host.TLSKey} {
			if filepath.IsAbs(path) {
				site.Reads = append(site.Reads, install.Access{Option: fmt.Sprintf("virtual-hosts[%d].%s", n, key), Path: path})
			}
		}
	}
	return nil
}

// logsBelow holds log files to the folder that the service can write to.
func logsBelow(site *install.Site, w word, user bool) error {
	folder := "/var/log/rouse-" + site.Name
	switch {
	case runtime.GOOS != "linux" || w.value == "/dev/stdout" || w.value == "/dev/stderr":
		return nil
	case user: // it is the user's, who sees in the log what cannot be written
		return nil
	case filepath.Dir(w.value) != folder:
		return config("--%s %s: the service can write log files below %s alone: say --%s %s", w.name, w.value, folder, w.name, filepath.Join(folder, filepath.Base(w.value)))
	}
	site.Logs = true
	return nil
}

// fileOption tells whether the value is a path, and one of the machine, not one below the root.
func fileOption(o option) bool {
	return (o.arg == "FILE" || o.arg == "DIR" || o.arg == "PATH") && o.flag != "page404" && o.flag != "page50x" && o.flag != "network-from" && o.flag != "root"
}

// writesTo tells of files that the service makes itself, or that need not be there.
func writesTo(name string) bool {
	return slices.Contains([]string{"log-file", "access-log", "maintenance-mode-switch", "pin", "socket"}, name)
}

// absolute makes a path one: services start elsewhere.
func absolute(o option, value string) (string, error) {
	if !fileOption(o) || value == "" || o.flag == "pin" {
		return value, nil
	}
	return filepath.Abs(value)
}
