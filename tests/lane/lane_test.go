// Package lane holds rouse with its fast lane against rouse without it: the same site, the same options, the same requests in the
// same order. Over HTTP/1.1 the same bytes have to come but for Date; over HTTP/2 the same status, fields in the same order,
// body and trailers. What both have logged and counted at the end has to be the same as well.
//
//	go test ./tests/lane                                recorded requests, and a few random ones
//	go test -run 'Lane/hosts' ./tests/lane              one setup
//	ROUSE_LONG=lane go test -timeout 30m ./tests/lane   ten minutes of random ones
//	ROUSE_SEED=123 go test ./tests/lane                 the random ones of a run that printed this seed
package lane

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// limit is for what takes milliseconds where nothing else runs.
const limit = 20 * time.Second

// randomTime is how long random requests are sent with ROUSE_LONG=lane, to all setups together; without, a fixed number is.
const (
	randomTime          = 10 * time.Minute
	randomConversations = 10 // for each setup and transport
)

func TestLane(t *testing.T) {
	seed := chosenSeed(t)
	t.Logf("ROUSE_SEED=%d sends the same random requests again", seed)
	all := setups()
	for i, s := range all {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			p := start(t, s)
			p.compareRecorded(i)
			p.compareRandom(seed+uint64(i)<<32, randomTime*2/time.Duration(len(all))) // two run side by side
			if !t.Failed() {
				// what differs is logged and counted otherwise
				p.compareRecords()
			}
			p.compareChanges() // what was kept may still be sent then for a while, and be logged and counted
		})
	}
}

func chosenSeed(t *testing.T) uint64 {
	text := os.Getenv("ROUSE_SEED")
	if text == "" {
		return rand.Uint64() >> 32
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("ROUSE_SEED=%s is not a number: %v", text, err)
	}
	return seed
}

// compareRecorded sends recorded requests to the i-th setup. To the first of all go all of them over all transports; what is
// behind it would be the same. To the others go all that browsers ask over two of the transports, and half of what is special
// over each of them.
func (p *pair) compareRecorded(i int) {
	p.t.Helper()
	for j, over := range transports() {
		if i == 0 {
			p.compareAll(over, recorded("bare", "chrome", "curl", "firefox", "safari", "wget"))
			p.compareAll(over, special())
			p.compareAll(over, malformed(over))
			continue
		}
		p.compareAll(over, recorded([]string{"chrome", "wget"}[(i+j)%2]))
		for k, c := range special() {
			if (i+j+k)%2 == 0 {
				p.compare(over, c)
			}
		}
	}
}

// compareAll holds some conversations, and fails the test where the answers differ.
func (p *pair) compareAll(over transport, conversations []conversation) {
	p.t.Helper()
	for _, c := range conversations {
		p.compare(over, c)
	}
}

// compareRandom holds random conversations over all transports in turn.
func (p *pair) compareRandom(seed uint64, most time.Duration) {
	p.t.Helper()
	long := os.Getenv("ROUSE_LONG") == "lane"
	begun := time.Now()
	for n := uint64(0); long || n < randomConversations; n++ {
		for i, over := range transports() {
			g := generator{rand.New(rand.NewPCG(seed, n<<8|uint64(i)))}
			c := g.conversation()
			c.name = fmt.Sprintf("random %d", n)
			p.compare(over, c)
		}
		if long && time.Since(begun) > most || p.t.Failed() {
			return
		}
	}
}
