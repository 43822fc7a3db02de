package faults

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"
)

// Clients that ask for more files than may be open, and take none of them: new clients are accepted and get the page, and of files that they
// are to come again (503), never that there are none (404) or that something broke (500). The log says once what is going on.
func TestUnreadStreamsAndFewDescriptors(t *testing.T) {
	t.Parallel()
	const descriptors = 512
	h := openHouse(t, append(limits(), "--max-open-files", fmt.Sprint(descriptors))...)
	all := allAttacks()
	a := all[slices.IndexFunc(all, func(a *attack) bool { return a.name == "unread streams" })]
	attackers, end := startHorde(h.victim, a)
	defer end()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: limit}
	statuses, most := map[int]int{}, 0
	for attacked := true; attacked; {
		select {
		case <-attackers.Ended():
			attacked = false
		case <-time.After(20 * time.Millisecond):
		}
		h.ask()
		for _, path := range []string{"/large.bin", "/none"} {
			reply, err := client.Get("http://" + h.http + path)
			if err != nil {
				t.Fatal(err)
			}
			io.CopyN(io.Discard, reply.Body, 1)
			reply.Body.Close()
			statuses[reply.StatusCode]++
			if path == "/large.bin" && reply.StatusCode != http.StatusOK && reply.StatusCode != http.StatusServiceUnavailable || path == "/none" && reply.StatusCode == http.StatusOK {
				t.Fatalf("%s: %s", path, reply.Status)
			}
		}
		most = max(most, h.state().descriptors)
	}
	report, err := reportOf(attackers)
	if err != nil {
		t.Fatal(err)
	}
	if report.Late || most > descriptors {
		t.Errorf("%d descriptors, %+v", most, report)
	}
	if n := h.lines("cannot accept connections"); n > 0 {
		t.Errorf("that connections cannot be accepted is told %d times", n)
	}
	tell(t, row{"limit", "descriptors for files", fmt.Sprintf("%d clients: %s; %d descriptors", a.count(), a.tried, descriptors), "",
		fmt.Sprintf("at most %d open; the page is always served; of a file and a missing one: %v; nothing refuses to accept", most, statuses)})
}
