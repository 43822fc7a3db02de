// Package packaging holds the files that packages ship and that `rouse install` writes, so that both have the same bytes.
package packaging

import (
	"embed"
	"io/fs"
)

//go:embed systemd launchd man all:completions
var files embed.FS

// Files returns the files by the service manager that reads them. Each explains its options in comments, and listens
// on loopback until somebody changes it.
//
//	systemd/rouse.socket                               port 8443, starts rouse.service (systemd.socket(5))
//	systemd/rouse-http.socket                          port 8080, likewise
//	systemd/rouse.service                              runs /usr/bin/rouse serve (systemd.service(5), systemd.exec(5))
//	systemd/rouse.env                                  its options, installed as /etc/rouse/rouse.env
//	systemd/rouse-run@.socket                          port 8080, starts rouse-run@NAME.service
//	systemd/rouse-run@.service                         runs /usr/bin/rouse run with the program of /etc/rouse/run/NAME.env
//	systemd/rouse-inetd@.socket                        port 8022, starts rouse-inetd@NAME.service
//	systemd/rouse-inetd@.service                       runs /usr/bin/rouse inetd with the program of /etc/rouse/inetd/NAME.env
//	systemd/rouse-renew.timer                          starts rouse-renew.service every week (systemd.timer(5))
//	systemd/rouse-renew.service                        runs /usr/bin/rouse renew, for the self-signed certificate of rouse.service
//	systemd/rouse-dispatch.service                     runs /usr/bin/rouse dispatch with the rules in /etc/rouse/dispatch.toml
//	man/rouse*.1, man/rouse.toml.5                     manual pages, in mdoc(7)
//	completions/rouse.bash, _rouse, rouse.fish         for bash, zsh and fish
//	launchd/agent/io.github.rouse-server.rouse.plist   for one user, in ~/Library/LaunchAgents (launchd.plist(5))
//	launchd/daemon/io.github.rouse-server.rouse.plist  for the whole Mac, in /Library/LaunchDaemons
//
// `rouse generate` makes rouse.env, the manual pages and the completions from the table of options.
//
// The plists name /usr/local/bin/rouse; agent and daemon share the label, as they live in different launchd domains.
func Files() fs.FS { return files }
