package reply

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestLife(t *testing.T) {
	c := NewCache(limits())
	calls, text := 0, "one"
	h := func(w http.ResponseWriter, r *http.Request) {
		calls++
		if !Mark(w, text) {
			io.WriteString(w, text)
		}
	}
	keep(t, c, plain("/"), 0, h)
	first, finding := c.Find(plain("/"), time.Second-1)
	if finding != Good || calls != 2 {
		t.Fatal(finding, calls)
	}
	r := plain("/")
	known, finding := c.Find(r, time.Second)
	if known != first || finding != Due {
		t.Fatal(finding)
	}
	if _, finding := c.Find(plain("/"), time.Second); finding != Good {
		t.Errorf("while somebody asks the chain: %v", finding)
	}
	if found := c.Peek(plain("/"), time.Second); found != first {
		t.Error("while somebody asks the chain, Peek finds nothing")
	}
	if found, finding := c.Find(plain("/"), 2*time.Second); found != nil || finding != Unknown {
		t.Errorf("while somebody asks the chain for long: %v", finding)
	}
	if made, _ := record(t, c, r, known, Due, h); made != first {
		t.Errorf("the reply does not live on: %v", made)
	}
	if found, finding := c.Find(plain("/"), 2*time.Second-1); found != first || finding != Good {
		t.Errorf("then: %v", finding)
	}
	text = "two"
	if made, finding := ask(t, c, plain("/"), 2*time.Second, h); string(made.Body) != "two" || finding != Due {
		t.Errorf("%q, %v", made.Body, finding)
	}
	if found, finding := c.Find(plain("/"), 3*time.Second-1); finding != Good || string(found.Body) != "two" {
		t.Errorf("then: %v", finding)
	}
	if n := check(t, c); n != 1 {
		t.Errorf("%d are kept", n)
	}
	// A panic of the chain leaves it as it was, and to the next one.
	r = plain("/")
	if known, finding = c.Find(r, 3*time.Second); finding != Due {
		t.Fatal(finding)
	}
	c.Record(r, known, Due, newStream()).Abandon()
	if _, finding = ask(t, c, plain("/"), 3*time.Second, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) }); finding != Due {
		t.Errorf("after Abandon: %v", finding)
	}
	if n := check(t, c); n != 0 {
		t.Error("what the chain does not say any more is kept")
	}
}

func TestSameVariantOtherHead(t *testing.T) {
	c := NewCache(limits())
	version := "1"
	h := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Version", version)
		if !Mark(w, 7) {
			io.WriteString(w, "body")
		}
	}
	keep(t, c, plain("/"), 0, h)
	version = "2"
	made, finding := ask(t, c, plain("/"), time.Second, h)
	if finding != Due || string(made.Body) != "body" || !strings.Contains(string(made.Head), "X-Version: 2") || string(made.Tail) != "Content-Length: 4\r\nContent-Type: text/plain; charset=utf-8\r\n" {
		t.Errorf("%v, %q", finding, made.AppendHTTP1(nil, nil, false))
	}
	if found, _ := c.Find(plain("/"), time.Second); found != made {
		t.Error("it is not kept")
	}
}

func TestNoLife(t *testing.T) {
	l := limits()
	l.Life = 0
	c := NewCache(l)
	for i, want := range []Finding{Unknown, Wanted, Due, Due} {
		if _, finding := ask(t, c, plain("/"), 0, says("x")); finding != want {
			t.Errorf("%d: %v", i, finding)
		}
	}
	for range 3 {
		if _, finding := c.Find(plain("/"), 0); finding != Due {
			t.Errorf("beside others: %v", finding)
		}
	}
	if c.Peek(plain("/"), 0) != nil {
		t.Error("Peek returns it")
	}
}

// What nobody finished is told to somebody else in the end.
func TestPatience(t *testing.T) {
	c := NewCache(limits())
	for _, step := range []struct {
		now  time.Duration
		want Finding
	}{{0, Unknown}, {0, Wanted}, {patience - 1, Unknown}, {patience, Wanted}, {patience, Unknown}} {
		if _, finding := c.Find(plain("/"), step.now); finding != step.want {
			t.Errorf("at %v: %v", step.now, finding)
		}
	}
	c = NewCache(limits())
	keep(t, c, plain("/"), 0, says("x"))
	for _, step := range []struct {
		now  time.Duration
		want Finding
	}{{time.Second, Due}, {time.Second + 1, Good}, {patience, Unknown}, {2 * patience, Due}, {2 * patience, Unknown}} {
		if _, finding := c.Find(plain("/"), step.now); finding != step.want {
			t.Errorf("at %v: %v", step.now, finding)
		}
	}
}

func TestOneFills(t *testing.T) {
	c := NewCache(limits())
	ask(t, c, plain("/"), 0, says("x"))
	var wanted atomic.Int32
	var group sync.WaitGroup
	for range 32 {
		group.Go(func() {
			for range 100 {
				if _, finding := ask(t, c, plain("/"), 0, says("x")); finding == Wanted {
					wanted.Add(1)
				}
			}
		})
	}
	group.Wait()
	if n := wanted.Load(); n != 1 {
		t.Errorf("it was wanted %d times", n)
	}
	check(t, c)
}
