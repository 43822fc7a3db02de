package faults

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// outShows returns what finds a key in a text, in whichever form.
func outShows(t *testing.T, key string) (shows func(text string) bool) {
	t.Helper()
	text, err := os.ReadFile(key)
	outMust(t, err)
	block, _ := pem.Decode(text)
	if block == nil {
		t.Fatal("no key")
	}
	secret := block.Bytes[36:68] // the number itself, in PKCS #8 of P-256 (RFC 5915)
	lines := strings.Split(strings.TrimSpace(string(pem.EncodeToMemory(block))), "\n")
	forms := append(lines[1:len(lines)-1], base64.StdEncoding.EncodeToString(secret), hex.EncodeToString(secret), strings.ToUpper(hex.EncodeToString(secret)), string(secret))
	shows = func(text string) bool {
		return strings.Contains(text, "PRIVATE KEY") || slices.ContainsFunc(forms, func(form string) bool { return strings.Contains(text, form) })
	}
	if !shows(string(text)) || !shows(fmt.Sprintf("%x", block.Bytes)) {
		t.Fatal("a key would not be seen")
	}
	return shows
}

// A private key is in no log, page or number that the program gives out; one that all may read is told of.
func TestOutKeys(t *testing.T) {
	t.Parallel()
	dir := outSite(t)
	cert, key, _ := program.KeyPair(t, t.TempDir(), "site.test")
	shows := outShows(t, key)
	for _, mode := range []os.FileMode{0o600, 0o640, 0o644} {
		outMust(t, os.Chmod(key, mode))
		s := outStart(t, "trace", "--root", filepath.Join(dir, "site"), "--tls-cert", cert, "--tls-key", key, "--log-level=trace", "--health", "--ready", "--metrics")
		s.trust.InsecureSkipVerify = true // it is another pair than that of the kit
		for _, asker := range outAskers(t, s) {
			for _, target := range []string{"/", "/metrics", "/health", "/ready", "/none", "/tls.key", "/../tls.key", key, "/%zz"} {
				if got := asker.ask(target); shows(got.raw) {
					t.Errorf("%v: %s shows the key: %s", asker, target, got.raw)
				}
			}
		}
		outAnswerTo(t, s.secure, outHello{version: 0x0301, ciphers: []uint16{5}}.bytes())
		s.Stop()
		said := s.Stdout.String() + s.Stderr.String()
		if shows(said) {
			t.Errorf("the log shows the key:\n%s", said)
		}
		if strings.Contains(said, "can be read by every user of this machine") != (mode == 0o644) {
			t.Errorf("of a key with mode %o it says\n%s", mode, said)
		}
	}
	for _, args := range [][]string{{"check", "--tls-cert", cert, "--tls-key", key}, {"serve", "--tls-cert", key, "--tls-key", key}, {"serve", "--tls-cert", key, "--tls-key", cert}, {"serve", "--root", filepath.Join(dir, "site"), "--config-file", key}, {"serve", "--root", filepath.Join(dir, "site"), "--basic-auth-file", key}} {
		listener, _ := program.Listener(t)
		p := program.Start(t, program.Run{Args: args, Files: []*os.File{listener}, Listen: true, Names: []string{"https"}})
		p.Wait(outLimit)
		if said := p.Stdout.String() + p.Stderr.String(); shows(strings.ReplaceAll(said, "no PRIVATE KEY block", "")) && !strings.Contains(said, `["PRIVATE KEY"]`) {
			t.Errorf("%q shows the key:\n%s", args, said)
		}
	}
	tell(t, row{Kind: "out", What: "private keys in what is given out", Tried: "log level trace, /metrics, error pages, rouse check, files mistaken for others; PEM, base64, hexadecimal, raw", Rouse: "in none; a key that all may read is told of at the start"})
}

// No command that reads keys or passwords, or is given them by mistake, shows one: not in what it prints, nor in its log.
func TestOutSecretsOfCommands(t *testing.T) {
	t.Parallel()
	const clear, hash = "a-password-in-clear", "$2y$04$7/WS.OVy7P60kJmg8J4wB.84TIN5dnJhdYdl8ENaOiR8ehsD7Q/D2"
	dir := outSite(t)
	cert, key, _ := program.KeyPair(t, t.TempDir(), "site.test")
	shows, pair, site := outShows(t, key), []string{"--tls-cert", cert, "--tls-key", key}, filepath.Join(dir, "site")
	outWrite(t, dir, map[string]string{
		"users": "bob:" + hash + "\n", "clear": "bob:" + clear + "\n", "rouse.toml": "[general]\nbasic-auth = 'bob:" + hash + "'\n", "clear.toml": "[general]\nbasic-auth = 'bob:" + clear + "'\n",
		"broken.toml": "[general]\nbasic-auth = 'bob:" + clear + "\n", "own/x": "",
	})
	file := func(name string) string { return filepath.Join(dir, name) }
	for _, c := range []struct {
		variable string
		args     []string
	}{
		{"", append([]string{"check", "--basic-auth", "bob:" + hash, "--log-level=trace"}, pair...)}, {"SERVER_BASIC_AUTH=bob:" + hash, []string{"check"}}, {"", []string{"check", "--config-file", file("rouse.toml")}}, {"", []string{"check", "--basic-auth-file", file("users")}},
		{"SERVER_BASIC_AUTH=bob:" + hash, []string{"check", "--config-file", file("rouse.toml"), "--basic-auth", "al:" + hash}},
		{"", []string{"check", "--basic-auth", "bob:" + clear}}, {"SERVER_BASIC_AUTH=bob:" + clear, []string{"check"}}, {"SERVER_BASIC_AUTH=" + clear, []string{"check"}}, {"", []string{"check", "--config-file", file("clear.toml")}}, {"", []string{"check", "--config-file", file("broken.toml")}}, {"", []string{"check", "--basic-auth-file", file("clear")}}, {"", []string{"check", "--basic-auth-file", key}}, {"", []string{"check", "--tls-cert", key, "--tls-key", cert}}, {"", []string{"check", "--config-file", key}},
		{"", []string{"serve", "--root", site, "--basic-auth", clear}}, {"", []string{"serve", "--root", site, "--basic-auth", "bob:" + clear}}, {"", []string{"serve", "--root", site, "--basic-auth-file", file("clear")}}, {"", []string{"serve", "--root", site, "--config-file", file("clear.toml")}}, {"", []string{"--basic-auth=bob:" + clear, "--nonsense"}},
		{"", append([]string{"sockets"}, pair...)}, {"", append([]string{"sockets", "--json", "--basic-auth", "bob:" + clear}, pair...)}, {"", []string{"status"}}, {"", []string{"status", key}}, {"", []string{"renew", "--directory", filepath.Dir(key)}}, {"", []string{"renew", "--directory", filepath.Dir(key), "--within", "9999h"}}, {"", []string{"renew", "--directory", file("own")}}, {"", []string{"renew", key}},
		{"", append([]string{"install", "--dry-run", "--name", "out-secrets", "--basic-auth", "bob:" + clear, site}, pair...)}, {"", append([]string{"install", "--print", "--name", "out-secrets", site}, pair...)}, {"", []string{"install", "--dry-run", "--name", "out-secrets", "--tls-cert", key, "--tls-key", cert, site}},
		{"", []string{"health", "http://bob:" + clear + "@127.0.0.1:1/"}}, {"", []string{"health", "http://bob:" + clear + "@[::1/"}}, {"", []string{"health", "http://bob:" + clear + "@127.0.0.1:port/"}}, {"", []string{"dispatch", "--config", key, "--check"}}, {"", []string{"dispatch", "--config", key}}, {"", []string{"inetd", "--services", key, "--check"}}, {"", []string{"precompress", key}},
	} {
		listener, _ := program.Listener(t)
		p := program.Start(t, program.Run{Args: c.args, Env: []string{c.variable}, Files: []*os.File{listener}, Listen: true, Names: []string{"https"}})
		listener.Close()
		p.Wait(outLimit)
		said := p.Stdout.String() + p.Stderr.String()
		if said == "" {
			t.Errorf("%s %q says nothing", c.variable, c.args)
		}
		if rest := strings.NewReplacer("no PRIVATE KEY block", "", `["PRIVATE KEY"]`, "").Replace(said); shows(rest) || strings.Contains(said, clear) || strings.Contains(said, hash) {
			t.Errorf("%s %q shows a secret:\n%s", c.variable, c.args, said)
		}
	}
	// What clients say is not shown either, right or wrong, at the level that shows most.
	s := outStart(t, "trace", "--root", site, "--basic-auth", "user:"+hash, "--log-level=trace", "--metrics")
	for _, asker := range outAskers(t, s) {
		for _, login := range []string{"user:open sesame", "user:" + clear, clear + ":x", ":" + clear, clear} {
			asker.ask("/a.txt", "Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte(login)))
		}
		asker.ask("/a.txt", "Authorization: Bearer "+clear, "Cookie: session="+clear)
	}
	s.Stop()
	said := strings.ReplaceAll(s.Stdout.String()+s.Stderr.String(), "user="+clear, "") // the name of a user, who was refused, is
	for _, secret := range []string{clear, "open sesame", hash, base64.StdEncoding.EncodeToString([]byte("user:" + clear)), base64.StdEncoding.EncodeToString([]byte("user:open sesame"))} {
		if strings.Contains(said, secret) {
			t.Errorf("the log shows %q:\n%s", secret, said)
		}
	}
	tell(t, row{Kind: "out", What: "keys, hashes and passwords in what commands say", Tried: "check, serve, sockets, status, renew, install, health, dispatch, inetd, precompress, by flags, variables and files, right and mistaken; the log at level trace", Rouse: "none is shown"})
}
