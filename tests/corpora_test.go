package tests

import (
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// parsers are all places where bytes from outside are read, and the fuzz targets that read them. tests/fuzz.sh runs those for a time;
// their corpora, in testdata/fuzz beside each, are replayed by every go test.
func parsers() map[string][]string {
	return map[string][]string{
		"HTTP/1.1: request line, fields, ends of both":                                                        {"server/http1.FuzzRecognize"},
		"HTTP/1.1: whole connections, pipelined, with bodies, in pieces, against net/http, whose the rest is": {"server.FuzzLane"},
		"HTTP/2: frames, HPACK, streams, against golang.org/x/net":                                            {"server/http2.FuzzFrames", "server.FuzzGoAway"},
		"TLS: ClientHello":                      {"activation/route.FuzzReadHello"},
		"PROXY protocol, versions 1 and 2":      {"server.FuzzProxyHeader", "activation/wake/inetd.FuzzHeader"},
		"Forwarded, X-Forwarded-For, X-Real-IP": {"server/forwarded.FuzzForwarded"},
		"Host, Origin":                          {"server.FuzzHost", "server.FuzzRedirectTarget", "server/hostname.FuzzTable", "server.FuzzOrigin"},
		"Range":                                 {"server/files.FuzzByteRanges"},
		"Accept, Accept-Encoding":               {"server/accept.FuzzMedia", "server/listing.FuzzAccept", "server/compress.FuzzAccepted"},
		"target: path, names of files, query of listings and archives":                           {"server/reply.FuzzPlainURL", "server/files.FuzzResolve", "server/tree.FuzzOpen", "server/listing.FuzzNames", "server/listing.FuzzQuery"},
		"rules: TOML's, _redirects, _headers, and what requests put into them":                   {"server/rules.FuzzGlob", "server/rules.FuzzRedirectsFile", "server/rules.FuzzHeadersFile", "server/rules.FuzzLocation"},
		"htpasswd files and hashes":                                                              {"server/password.FuzzOpen"},
		"certificates and keys (PEM)":                                                            {"server/certificate.FuzzParse"},
		"what goes into log lines":                                                               {"server.FuzzAccessLine"},
		"options: files (TOML), variables, flags":                                                {"cmd/rouse.FuzzFile", "cmd/rouse.FuzzOption", "activation.FuzzParseAddress", "activation/wake.FuzzParseMap", "activation/wake/inetd.FuzzParseLimit"},
		"LISTEN_FDS, LISTEN_PID, LISTEN_PIDFDID, LISTEN_FDNAMES":                                 {"activation.FuzzListenFDs"},
		"the manager's store: keys of session tickets":                                           {"server/tickets.FuzzParse"},
		"inetd.conf, services":                                                                   {"activation/wake/inetd.FuzzReadServices"},
		"rules of dispatch: TOML, socketbox's directives and JSON, --explain":                    {"activation/route.FuzzReadTOML", "activation/route.FuzzReadDirectives", "activation/route.FuzzReadJSON", "activation/route.FuzzParseTuple", "activation/route.FuzzAllow"},
		"hand-off between processes, socketbox's datagrams":                                      {"activation/handoff.FuzzFrame", "activation/handoff.FuzzLink", "activation/handoff.FuzzDatagram"},
		"children: addresses that they bind, what they write to standard error":                  {"activation/wake.FuzzReadAddress", "activation/wake.FuzzTail"},
		"programs: ELF heads and #! lines":                                                       {"platform/process.FuzzMachine"},
		"/proc":                                                                                  {"platform/process.FuzzLines", "platform/process.FuzzListeningEntry", "server.FuzzMapping"},
		"install: property lists, launchctl's words, addresses of others' units, its own record": {"packaging/install.FuzzPropertyList", "packaging/install.FuzzListedSockets", "packaging/install.FuzzPrinted", "packaging/install.FuzzAddress", "packaging/install.FuzzRecord"},
	}
}

// Each fuzz target of the tree stands in the list above, each of the list is in the tree, and each has a corpus.
func TestCorpora(t *testing.T) {
	found := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func (Fuzz\w*)\(`)
	err := filepath.WalkDir("..", func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "testdata" || len(entry.Name()) > 2 && strings.HasPrefix(entry.Name(), ".")):
			return fs.SkipDir
		case !strings.HasSuffix(file, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for _, match := range declared.FindAllSubmatch(text, -1) {
			folder, name := filepath.ToSlash(filepath.Dir(file)), string(match[1])
			target := strings.TrimPrefix(folder, "../") + "." + name
			found[target] = true
			if corpus, err := os.ReadDir(path.Join(folder, "testdata/fuzz", name)); err != nil || len(corpus) == 0 {
				t.Errorf("%s has no corpus in %s: run tests/fuzz.sh, and keep some of what it finds in $(go env GOCACHE)/fuzz", target, path.Join(folder, "testdata/fuzz", name))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for what, targets := range parsers() {
		for _, target := range targets {
			if listed[target] = true; !found[target] {
				t.Errorf("%s: there is no target %s", what, target)
			}
		}
	}
	for _, target := range slices.Sorted(maps.Keys(found)) {
		if !listed[target] {
			t.Errorf("%s is not in the list: say what it reads", target)
		}
	}
}
