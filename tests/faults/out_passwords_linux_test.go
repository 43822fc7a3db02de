package faults

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

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
	if err != nil || !strings.HasSuffix(head, "200") || took > 5*time.Second || slowest > 5*time.Second {
		t.Errorf("meanwhile the right password: %q after %v, %v; /health %v", head, took, err, slowest)
	}
	if again, took, err := outFrom(t.Context(), s, 950, "/a.txt", "bob:right"); err != nil || !strings.HasSuffix(again, "200") || took > 5*time.Second { // who was believed before does not wait
		t.Errorf("meanwhile the right password again: %q after %v, %v", again, took, err)
	}
	cancel()
	all.Wait()
	tell(t, row{Kind: "out", What: "passwords", Tried: fmt.Sprintf("%d wrong ones of a user and of nobody; then %d clients that guess without end", samples, guessers), Rouse: fmt.Sprintf("lower quartile %v and %v; meanwhile /health in %v at most, the right password in %v", known[samples/4].Round(time.Microsecond), unknown[samples/4].Round(time.Microsecond), slowest.Round(time.Millisecond), took.Round(time.Millisecond))})
}

// A hundred addresses that guess hold up each other, and not the right password of somebody else: it waits for the check that
// runs, and is answered within a second or so where a hundred guesses take five, and longer where other tests run.
func TestOutGuessers(t *testing.T) {
	t.Parallel()
	const guessers, soon = 100, 3 * time.Second
	hash, err := bcrypt.GenerateFromPassword([]byte("right"), 9)
	outMust(t, err)
	s := outStart(t, "guessers", "--root", filepath.Join(outSite(t), "site"), "--basic-auth", "bob:"+string(hash))
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	var wrong, refused atomic.Int64
	for i := range guessers {
		all.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				head, _, err := outFrom(ctx, s, 2000+i, "/a.txt", fmt.Sprintf("bob:guess %d %d", i, n))
				switch {
				case err != nil && ctx.Err() == nil:
					t.Errorf("a guess: %v", err)
					return
				case strings.HasSuffix(head, "401"):
					wrong.Add(1)
				case strings.HasSuffix(head, "429"), strings.HasSuffix(head, "503"):
					refused.Add(1)
				case ctx.Err() == nil:
					t.Errorf("a guess is answered with %q", head)
				}
			}
		})
	}
	for begun := time.Now(); refused.Load() == 0 && time.Since(begun) < outLimit; {
		time.Sleep(time.Millisecond) // until more guess than are let wait
	}
	var slowest time.Duration
	for i := range 5 {
		head, took, err := outFrom(t.Context(), s, 2500+i, "/a.txt", "bob:right")
		if slowest = max(slowest, took); err != nil || !strings.HasSuffix(head, "200") || took > soon {
			t.Errorf("address %d, the right password: %q after %v, %v", i, head, took, err)
		}
	}
	cancel()
	all.Wait()
	if refused.Load() == 0 {
		t.Error("no guess was refused unchecked")
	}
	tell(t, row{Kind: "out", What: "the right password while others guess", Tried: fmt.Sprintf("%d addresses, %d guesses found wrong and %d refused unchecked", guessers, wrong.Load(), refused.Load()), Rouse: fmt.Sprintf("the right one in %v at most", slowest.Round(time.Millisecond))})
}
