package faults

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// A private key is in no log, page or number that the program gives out; one that all may read is told of.
func TestOutKeys(t *testing.T) {
	t.Parallel()
	dir := outSite(t)
	cert, key, _ := program.KeyPair(t, t.TempDir(), "site.test")
	text, err := os.ReadFile(key)
	outMust(t, err)
	block, _ := pem.Decode(text)
	if block == nil {
		t.Fatal("no key")
	}
	secret := block.Bytes[36:68] // the number itself, in PKCS #8 of P-256 (RFC 5915)
	shows := func(text string) bool {
		lines := strings.Split(strings.TrimSpace(string(pem.EncodeToMemory(block))), "\n")
		for _, form := range append(lines[1:len(lines)-1], base64.StdEncoding.EncodeToString(secret), hex.EncodeToString(secret), strings.ToUpper(hex.EncodeToString(secret)), string(secret)) {
			if strings.Contains(text, form) {
				return true
			}
		}
		return strings.Contains(text, "PRIVATE KEY")
	}
	if !shows(string(text)) || !shows(fmt.Sprintf("%x", block.Bytes)) {
		t.Fatal("a key would not be seen")
	}
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
