package faults

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

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

// outFrom asks for a path with a password from an address of this machine, and tells how long it took.
func outFrom(ctx context.Context, s *outServer, i int, path, login string) (reply string, took time.Duration, err error) {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 1, byte(i>>8), byte(i))}}
	conn, err := dialer.DialContext(ctx, "tcp", s.plain)
	if err != nil {
		return "", 0, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(outLimit))
	if login != "" {
		login = "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(login)) + "\r\n"
	}
	begun := time.Now()
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: site.test\r\n%s\r\n", path, login)
	head := make([]byte, 12)
	_, err = conn.Read(head)
	return string(head), time.Since(begun), err
}

// How long a refusal takes does not tell whether there is such a user. Many wrong passwords do not hold up others.
func TestOutPasswords(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte("right"), 7)
	outMust(t, err)
	s := outStart(t, "passwords", "--root", filepath.Join(outSite(t), "site"), "--basic-auth", "bob:"+string(hash), "--health")
	samples, guessers := 25, 20
	if isLong() {
		samples, guessers = 400, 200
	}
	var known, unknown []time.Duration
	for i := range samples {
		for _, user := range []string{"bob", "nobody"} {
			head, took, err := outFrom(t.Context(), s, i%200, "/a.txt", fmt.Sprintf("%s:wrong %d", user, i))
			if err != nil || !strings.HasSuffix(head, "401") {
				t.Fatalf("%s, %d: %q, %v", user, i, head, err)
			}
			if user == "bob" {
				known = append(known, took)
			} else {
				unknown = append(unknown, took)
			}
		}
	}
	slices.Sort(known)
	slices.Sort(unknown)
	// The least of many is what it takes where nothing else runs; unchecked it would be a hundredth.
	if a, b := known[samples/4], unknown[samples/4]; a > 3*b || b > 3*a {
		t.Errorf("a wrong password of a user takes %v, of nobody %v", a, b)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for i := range guessers {
		all.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				outFrom(ctx, s, 1000+i, "/a.txt", fmt.Sprintf("bob:guess %d %d", i, n))
			}
		})
	}
	var slowest time.Duration
	for i := range 20 {
		head, took, err := outFrom(t.Context(), s, 900+i, "/health", "")
		if err != nil || !strings.HasSuffix(head, "200") {
			t.Errorf("meanwhile: %q, %v", head, err)
		}
		slowest = max(slowest, took)
	}
	head, took, err := outFrom(t.Context(), s, 950, "/a.txt", "bob:right")
	if err != nil || !strings.HasSuffix(head, "200") || took > 15*time.Second || slowest > 5*time.Second {
		t.Errorf("meanwhile the right password: %q after %v, %v; /health %v", head, took, err, slowest)
	}
	if again, took, err := outFrom(t.Context(), s, 950, "/a.txt", "bob:right"); err != nil || !strings.HasSuffix(again, "200") || took > 5*time.Second { // who was believed before does not wait
		t.Errorf("meanwhile the right password again: %q after %v, %v", again, took, err)
	}
	cancel()
	all.Wait()
	tell(t, row{Kind: "out", What: "passwords", Tried: fmt.Sprintf("%d wrong ones of a user and of nobody; then %d clients that guess without end", samples, guessers), Rouse: fmt.Sprintf("lower quartile %v and %v; meanwhile /health in %v at most, the right password in %v", known[samples/4].Round(time.Microsecond), unknown[samples/4].Round(time.Microsecond), slowest.Round(time.Millisecond), took.Round(time.Millisecond))})
}
