package password

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var (
	here  = netip.MustParseAddr("192.0.2.1")
	there = netip.MustParseAddr("192.0.2.2")
)

// counted is users bob and al, whose password is their name, and who count how often it is checked, which takes a second.
func counted() (*Users, *atomic.Int64) {
	u, checks := &Users{hashes: map[string]*hash{}, secret: []byte("x")}, &atomic.Int64{}
	for _, name := range []string{"bob", "al"} {
		h := &hash{"hash of " + name, func(password string) bool {
			checks.Add(1)
			time.Sleep(time.Second)
			return password == name
		}}
		u.hashes[name] = h
		u.listed = append(u.listed, h)
	}
	return u, checks
}

func TestCheck(t *testing.T) {
	t.Parallel()
	u, err := Open("", file(t, "bob:"+bcrypt2y+"\nal:"+apr1))
	if err != nil {
		t.Fatal(err)
	}
	g := NewGuard()
	for _, c := range []struct {
		user, password string
		want           error
	}{
		{"bob", clear, nil}, {"bob", clear, nil}, {"al", clear, nil}, {"bob", "x", ErrWrong}, {"Bob", clear, ErrWrong},
		{"", "", ErrWrong}, {"bob", "", ErrWrong}, {"bob\x00", clear, ErrWrong}, {"nobody", clear, ErrWrong},
	} {
		if err := g.Check(t.Context(), u, here, c.user, c.password); err != c.want {
			t.Errorf("%q, %q: %v", c.user, c.password, err)
		}
	}
	if wrong, limited := g.Counts(); wrong != 6 || limited != 0 {
		t.Errorf("%d, %d", wrong, limited)
	}
}

// Whoever is not there is refused with the same work.
func TestUnknownUserIsChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, checks := counted()
		for _, user := range []string{"bob", "nobody", ""} {
			before := checks.Load()
			if err := NewGuard().Check(t.Context(), u, here, user, "x"); err != ErrWrong || checks.Load() != before+1 {
				t.Errorf("%q: %v after %d checks", user, err, checks.Load()-before)
			}
		}
	})
}

// A right password is checked once, until nobody has used it for ten minutes.
func TestVerifiedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, checks := counted()
		g := NewGuard()
		check := func(want int64) {
			t.Helper()
			if err := g.Check(t.Context(), u, here, "bob", "bob"); err != nil {
				t.Error(err)
			}
			if n := checks.Load(); n != want {
				t.Errorf("checked %d times, want %d", n, want)
			}
		}
		check(1)
		for range 3 {
			time.Sleep(verifiedLife - time.Second)
			check(1)
		}
		time.Sleep(verifiedLife + time.Second)
		check(2)
		u.hashes["bob"].line = "another line"
		check(3)
	})
}

// Who was removed from the file stays out, also when the hash that stands in for him is a copy of his own.
func TestRemovedUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, _ := counted()
		u.listed[1].line = u.listed[0].line
		g := NewGuard()
		if err := g.Check(t.Context(), u, here, "bob", "bob"); err != nil {
			t.Fatal(err)
		}
		delete(u.hashes, "bob")
		if err := g.Check(t.Context(), u, here, "bob", "bob"); err != ErrWrong {
			t.Error(err)
		}
	})
}

// Many requests with one credential at once are one check, and count as one attempt.
func TestTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, checks := counted()
		g := NewGuard()
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() {
				password, want := "bob", error(nil)
				if i%2 == 0 {
					password, want = "wrong", ErrWrong
				}
				if err := g.Check(t.Context(), u, here, "bob", password); err != want {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := checks.Load(); n != 2 {
			t.Errorf("checked %d times", n)
		}
		if wrong, limited := g.Counts(); wrong != 1 || limited != 0 {
			t.Errorf("%d wrong, %d limited", wrong, limited)
		}
	})
}

// After ten wrong passwords a client has one attempt a second, wherever it stands; others are not concerned, nor is what
// was verified before.
func TestLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, checks := counted()
		g := NewGuard()
		if err := g.Check(t.Context(), u, here, "bob", "bob"); err != nil {
			t.Fatal(err)
		}
		u.hashes["al"].matches = func(string) bool { checks.Add(1); return false }
		checks.Store(0)
		var limited *Limited
		refused := 0
		for i := range 60 {
			err := g.Check(t.Context(), u, here, "al", fmt.Sprint(i))
			if errors.As(err, &limited) {
				refused++
				if limited.Wait < time.Second || limited.Wait > 2*time.Second {
					t.Errorf("wait %s", limited.Wait)
				}
			} else if err != ErrWrong {
				t.Error(err)
			}
		}
		if checks.Load() != failuresAtOnce || refused != 60-failuresAtOnce {
			t.Errorf("%d checks, %d refused", checks.Load(), refused)
		}
		if err := g.Check(t.Context(), u, here, "bob", "bob"); err != nil {
			t.Error("verified before:", err)
		}
		if err := g.Check(t.Context(), u, there, "al", "al"); err != ErrWrong {
			t.Error("another client:", err)
		}
		time.Sleep(time.Second)
		if err := g.Check(t.Context(), u, here, "al", "again"); err != ErrWrong {
			t.Error("after a second:", err)
		}
		if err := g.Check(t.Context(), u, here, "al", "and again"); !errors.As(err, &limited) {
			t.Error("twice in a second:", err)
		}
		for i := range refusalsAtOnce {
			g.Check(t.Context(), u, here, "al", fmt.Sprint("more ", i))
		}
		if err := g.Check(t.Context(), u, here, "bob", "bob"); !errors.As(err, &limited) {
			t.Error("who goes on guessing could try what others have verified:", err)
		}
	})
}

// Attempts that run at once count all, though none has failed yet; right ones are given back.
func TestLimitedWhileChecking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, checks := counted()
		g := NewGuard()
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() { g.Check(t.Context(), u, here, "bob", fmt.Sprint(i)) })
		}
		all.Wait()
		if n := checks.Load(); n > 2*failuresAtOnce {
			t.Errorf("%d checks", n)
		}
		time.Sleep(time.Minute)
		for range 3 * failuresAtOnce {
			g.verified = newVerified() // as if they were different users
			if err := g.Check(t.Context(), u, here, "bob", "bob"); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// A client that leaves does not keep a processor from others.
func TestClientLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, checks := counted()
		g := NewGuard()
		g.free = 0
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for i := range 5 {
			all.Go(func() {
				if err := g.Check(ctx, u, here, "bob", fmt.Sprint(i)); err != context.Canceled {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		cancel()
		all.Wait()
		synctest.Wait()
		if len(g.checks) != 0 || len(g.queue) != 0 || checks.Load() != 0 || g.attempts.clients[here].checking != 0 {
			t.Errorf("%d left, %d checked", len(g.checks), checks.Load())
		}
		g.free = 1
		if err := g.Check(t.Context(), u, here, "bob", "bob"); err != nil {
			t.Error(err)
		}
	})
}

// Where too many wait, who has waited longest is told to come back; where they are clients who were wrong before, one of those is.
func TestBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, _ := counted()
		g := NewGuard()
		g.free = 0
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		var busy, limited atomic.Int64
		wait := func(source netip.Addr, password string) {
			all.Go(func() {
				err := g.Check(ctx, u, source, "bob", password)
				if _, ok := errors.AsType[*Limited](err); ok {
					limited.Add(1)
				} else if err == ErrBusy {
					busy.Add(1)
				}
			})
			synctest.Wait()
		}
		for i := range maxWaiting + 3 {
			wait(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), "x")
		}
		if busy.Load() != 3 || limited.Load() != 0 || len(g.queue) != maxWaiting {
			t.Errorf("%d of those who were never wrong are refused, %d limited, %d wait", busy.Load(), limited.Load(), len(g.queue))
		}
		for i := range 5 {
			wait(netip.AddrFrom4([4]byte{10, 0, 0, byte(100 + i)}), "y")
		}
		if busy.Load() != 3 || limited.Load() != 5 || len(g.queue) != maxWaiting {
			t.Errorf("%d of those who were never wrong are refused, %d limited, %d wait", busy.Load(), limited.Load(), len(g.queue))
		}
		cancel()
		all.Wait()
	})
}

// Those who guess hold up each other, and nobody else: a password from an address that was not wrong lately is checked next, however
// many guesses wait, and guesses wait in bounded number.
func TestGuessesWaitForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, checks := counted() // a check takes a second
		g := NewGuard()
		g.free = 1
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		guesser := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}) }
		for i := range 200 { // each is wrong once
			all.Go(func() { g.Check(ctx, u, guesser(i), "bob", "first") })
		}
		all.Wait()
		checks.Store(0)
		for i := range 200 {
			all.Go(func() { g.Check(ctx, u, guesser(i), "bob", "second") })
		}
		synctest.Wait()
		if len(g.queue) != maxSuspect {
			t.Errorf("%d guesses wait", len(g.queue))
		}
		for i, from := range []netip.Addr{here, there} {
			begun := time.Now()
			if err := g.Check(ctx, u, from, "bob", "bob"); err != nil || time.Since(begun) > 2*time.Second {
				t.Errorf("client %d: %v after %s", i, err, time.Since(begun))
			}
		}
		cancel()
		all.Wait()
		time.Sleep(strikesLife + time.Second)
		if strikes, _, refused := g.attempts.begin(guesser(1), time.Now()); strikes != 0 || refused {
			t.Errorf("long after, %d strikes count", strikes)
		}
	})
}

func TestSourceOf(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::", "fe80::1%eth0": "fe80::",
	} {
		if got := sourceOf(netip.MustParseAddr(text)); got.String() != want {
			t.Errorf("%s: %s", text, got)
		}
	}
	if sourceOf(netip.Addr{}).IsValid() {
		t.Error("no address")
	}
}

// However many clients come and credentials are verified, what is remembered is bounded.
func TestBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := attempts{clients: map[netip.Addr]*client{}}
		v := newVerified()
		address := netip.MustParseAddr("10.0.0.0")
		for i := range mostClients + 50 {
			address = address.Next()
			a.begin(address, time.Now())
			a.end(address, time.Now(), verdict(i%3))
			v.add(v.identify("bob", "", fmt.Sprint(i)), time.Now())
			if i >= mostClients {
				time.Sleep(time.Millisecond)
			}
		}
		if len(a.clients) > mostClients || len(v.used) > verifiedMost {
			t.Errorf("%d clients, %d credentials", len(a.clients), len(v.used))
		}
		if !v.has(v.identify("bob", "", fmt.Sprint(mostClients+49)), time.Now()) {
			t.Error("the latest is forgotten")
		}
		time.Sleep(verifiedLife + time.Second)
		v.add(v.identify("al", "", ""), time.Now())
		if len(v.used) != 1 {
			t.Errorf("%d credentials", len(v.used))
		}
	})
}

// While all clients have passwords checked, none is forgotten.
func TestNoneForgottenWhileChecked(t *testing.T) {
	t.Parallel()
	a := attempts{clients: map[netip.Addr]*client{}}
	address := netip.Addr{}
	for range mostClients + 2 {
		a.begin(address, time.Now())
		if address = address.Next(); !address.IsValid() {
			address = netip.MustParseAddr("10.0.0.0")
		}
	}
	a.end(netip.Addr{}, time.Now(), wrong)
	if len(a.clients) != mostClients+2 {
		t.Errorf("%d clients", len(a.clients))
	}
}

func TestNoPasswordInMemory(t *testing.T) {
	t.Parallel()
	v := newVerified()
	if id := v.identify("bob", "line", clear); strings.Contains(string(id[:]), "pass") || id == newVerified().identify("bob", "line", clear) {
		t.Error("the identity depends on nothing secret")
	}
}

// BenchmarkVerified is what a request costs whose credential was right before.
func BenchmarkVerified(b *testing.B) {
	u, err := Open("bob:"+bcrypt2y, "")
	if err != nil {
		b.Fatal(err)
	}
	g := NewGuard()
	b.ReportAllocs()
	for b.Loop() {
		if err := g.Check(b.Context(), u, here, "bob", clear); err != nil {
			b.Fatal(err)
		}
	}
}
