package faults

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// attack is what many hostile clients do at once, until the server closes their connections.
type attack struct {
	name   string
	tried  string        // what a client does
	secure bool          // it goes to the https socket
	proto  string        // that TLS agrees on; empty: there is no handshake, or the client begins one by itself
	assail func(*client) // on one connection, until that is closed
	allow  int           // KiB of resident memory that one client may cost
	floods bool          // with all that the client can send
	peer   bool          // it is tried on a peer too, in the long drill
	sips   bool          // its kernel takes no more for it than it must: thousands would have all that this one has for sockets (tcp(7), tcp_mem)
	word   string        // what each client is told before it is given up; empty: nothing is promised
}

// allAttacks is what a process that attacks can be asked for.
func allAttacks() []*attack {
	return slices.Concat(attacksOnConnections(), attacksOverHTTP1(), slowHTTP2(), floodsOfHTTP2())
}

// count is how many hostile clients there are.
func (a *attack) count() int {
	switch {
	case isLong():
		return 5000
	case a.floods: // one after the other
		return 100
	}
	return 200
}

// timeLimit is what the server's limits are set to: all clients have to get in before the first one is out.
func timeLimit() time.Duration {
	if isLong() {
		return 20 * time.Second
	}
	return 2 * time.Second
}

// limits are the options of rouse that set them.
func limits() (options []string) {
	for _, name := range []string{"tls-handshake", "client-header", "client-body", "keepalive", "send"} {
		options = append(options, "--"+name+"-timeout", timeLimit().String())
	}
	return options
}

// stay is when all clients must be gone, counted from when all had come: streams end after the send timeout, those that waited for
// them one later, and their connections after the keep-alive timeout.
func (a *attack) stay() time.Duration { return 4*timeLimit() + limit }

// ramp is how long the clients may take to come, of which those with TLS have to do as much work as the server.
func (a *attack) ramp() time.Duration { return limit + time.Duration(a.count())*time.Second/50 }

// drill is an attack on one server.
type drill struct {
	*attack
	report
	outcome
	victim *victim
}

// outcome is what a drill has shown.
type outcome struct {
	before, most, after state
	quiet, median       time.Duration
	unanswered          error         // why a normal client was not
	processors          time.Duration // that the server has used
}

// strike attacks, while a normal client goes on asking.
func strike(v *victim, a *attack) *drill {
	v.t.Helper()
	d := &drill{attack: a, victim: v}
	visitor := newVisitor(v)
	if d.quiet, d.unanswered = visitor.quiet(); d.unanswered != nil {
		v.t.Fatalf("nobody attacks, and a normal client is not answered: %v", d.unanswered)
	}
	d.before = v.state()
	used := v.processorTime()
	attackers, end := startHorde(v, a)
	defer end()
	var watching sync.WaitGroup
	watching.Go(func() { d.watch(attackers.Ended()) })
	d.median, d.unanswered = visitor.visits(attackers.Ended())
	watching.Wait()
	var err error
	if d.report, err = reportOf(attackers); err != nil {
		v.t.Fatal(err)
	}
	d.processors = v.processorTime() - used
	d.settle()
	return d
}

// watch notes the most that the server holds until the attack is over.
func (d *drill) watch(done <-chan struct{}) {
	turn := time.NewTicker(timeLimit() / 50)
	defer turn.Stop()
	for {
		now := d.victim.state()
		d.most.memory = max(d.most.memory, now.memory)
		d.most.descriptors = max(d.most.descriptors, now.descriptors)
		d.most.goroutines = max(d.most.goroutines, now.goroutines)
		d.most.clients = max(d.most.clients, now.clients)
		d.most.left = max(d.most.left, now.left)
		select {
		case <-done:
			return
		case <-turn.C:
		}
	}
}

// settle waits until the server is as before: what it holds is given back, memory too.
func (d *drill) settle() {
	for end := time.Now().Add(limit); ; time.Sleep(100 * time.Millisecond) {
		d.after = d.victim.state()
		if d.hasSettled() || time.Now().After(end) {
			return
		}
	}
}

// hasSettled tells whether the server is as before. A few goroutines and descriptors more or less are those of the normal client.
func (d *drill) hasSettled() bool {
	return d.after.clients <= d.before.clients+2 && d.after.left <= 2 && d.after.descriptors <= d.before.descriptors+5 &&
		d.after.goroutines <= d.before.goroutines+10 && d.after.memory <= d.before.memory+keeps(d.count())
}

// keeps is how much more memory in KiB a server may hold after n clients than before: what the kernel or the language keep for the
// next ones.
func keeps(n int) int { return 16<<10 + 2*n }

// each is how much memory in KiB one client has cost.
func (d *drill) each() float64 {
	return float64(max(d.most.memory-d.before.memory, 0)) / float64(max(d.most.clients, 1))
}

// hold checks what every attack must leave alone.
func (d *drill) hold(t *testing.T) {
	t.Helper()
	if d.unanswered != nil {
		t.Errorf("a normal client is not answered: %v", d.unanswered)
	}
	if most := 3*d.quiet + noise(); d.median > most {
		t.Errorf("a normal client waits %v in the median, %v where nobody attacks", d.median, d.quiet)
	}
	if d.Late {
		t.Errorf("not all clients are gone %v after the last one came", d.stay())
	}
	if each := d.each(); each > float64(d.allow) {
		t.Errorf("a client costs %.1f KiB, at most %d are allowed", each, d.allow)
	}
	if !d.hasSettled() {
		t.Errorf("the server holds %+v after the attack, and held %+v before", d.after, d.before)
	}
	if d.Refused > d.count()/4 { // of their own slowness: the server's time for a handshake is short
		t.Errorf("%d of %d clients could not attack", d.Refused, d.count())
	}
	if d.word != "" && d.Words[d.word] < d.Begun/10 { // who does all it can with what is left of the processors may not come to read it in time
		t.Errorf("%d of %d clients are told %s", d.Words[d.word], d.Begun, d.word)
	}
}

// noise is how long anything may take on a machine that does something else as well: that the clients have the lowest priority does not
// keep them from the turn that they are in (sched(7)), and beside a short drill others run at normal priority.
func noise() time.Duration {
	if isLong() {
		return 2 * time.Millisecond
	}
	return 30 * time.Millisecond
}

// String says what came of it.
func (d *drill) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d at once, %.1f KiB and %.1f ms each, all gone after %.1f s", d.most.clients, d.each(),
		float64(d.processors.Microseconds())/1000/float64(d.count()), d.Lasted.Seconds())
	for _, word := range slices.Sorted(maps.Keys(d.Words)) {
		fmt.Fprintf(&text, ", %d× %s", d.Words[word], word)
	}
	if d.Refused > 0 {
		fmt.Fprintf(&text, ", %d could not connect", d.Refused)
	}
	if d.most.left > 10 {
		fmt.Fprintf(&text, ", %d closed before all was taken", d.most.left)
	}
	if d.most.descriptors > 2*d.most.clients+50 {
		fmt.Fprintf(&text, ", %d descriptors", d.most.descriptors)
	}
	if d.most.goroutines > 3*d.most.clients+50 {
		fmt.Fprintf(&text, ", %d goroutines", d.most.goroutines)
	}
	if d.unanswered != nil {
		fmt.Fprintf(&text, "; a normal client is not answered: %v", d.unanswered)
		return text.String()
	}
	fmt.Fprintf(&text, "; a normal client %.1f ms, before %.1f ms; %d MiB, before %d MiB, most %d MiB",
		float64(d.median.Microseconds())/1000, float64(d.quiet.Microseconds())/1000,
		d.after.memory>>10, d.before.memory>>10, d.most.memory>>10)
	return text.String()
}

// try attacks rouse, and in the long drill a peer, and tells what came of it.
func (a *attack) try(t *testing.T) {
	if !isLong() && !a.floods {
		t.Parallel()
	}
	var peer string
	if a.peer && isLong() {
		if v := newPeer(t); v != nil {
			peer = v.name + ": " + strike(v, a).String()
		}
	}
	d := strike(newVictim(t, limits()...), a)
	d.hold(t)
	t.Log(d)
	tell(t, row{"attack", a.name, fmt.Sprintf("%d clients: %s", a.count(), a.tried), peer, d.String()})
}
