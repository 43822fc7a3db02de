package main

import (
	"fmt"
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/activation/route"
)

// At a reload, sockets whose addresses stay are kept, bound ones that nobody needs are closed, and inherited ones, which
// cannot be had again, are kept for later.
func TestDispatchedSockets(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	inherited := passedListener(t, l)
	d, s := dispatchOptions()
	sockets := &dispatched{options: d, given: s, opener: activation.NewOpener()}
	defer sockets.close()
	rules := func(addresses ...string) *route.Config {
		return &route.Config{Listeners: []route.Listener{{Name: "web", Addresses: addresses}}}
	}
	number := func(addresses ...string) []int {
		t.Helper()
		open, err := sockets.open(rules(addresses...))
		if err != nil {
			t.Fatal(err)
		}
		sockets.settle(true)
		var numbers []int
		for _, h := range open["web"] {
			numbers = append(numbers, h.Number)
		}
		return numbers
	}
	first := number(inherited, "tcp:127.0.0.1:0")
	second := number(inherited)
	third := number("tcp:127.0.0.1:0")
	again := number(inherited)
	if len(first) != 2 || second[0] != first[0] || len(third) != 1 || again[0] != first[0] {
		t.Errorf("%v, %v, %v, %v", first, second, third, again)
	}
	if _, err := sockets.open(rules("tcp:127.0.0.1:0", "tcp:127.0.0.1:0")); err == nil {
		t.Error("an address is bound twice")
	}
}

// Rules that name no listeners, as socketbox's, take whatever sockets there are.
func TestDispatchedWithoutListeners(t *testing.T) {
	d, s := dispatchOptions()
	d.Listen = []string{"web=tcp:127.0.0.1:0", "tcp:127.0.0.1:0"}
	sockets := &dispatched{options: d, given: s, opener: activation.NewOpener()}
	defer sockets.close()
	rules := &route.Config{}
	open, err := sockets.open(rules)
	if err == nil {
		t.Fatalf("an address is bound twice: %v", open)
	}
	d.Listen = d.Listen[:1]
	if open, err = sockets.open(rules); err != nil || len(open["web"]) != 1 || len(rules.Listeners) != 1 || rules.Listeners[0].Name != "web" {
		t.Errorf("%v, %v, %v", open, rules.Listeners, err)
	}
}

// passedListener returns the address of a duplicate of the listener, as a supervisor passes it.
func passedListener(t *testing.T, l net.Listener) string {
	t.Helper()
	raw, err := l.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	fd := -1
	if controlled := raw.Control(func(own uintptr) { fd, err = unix.FcntlInt(own, unix.F_DUPFD, 3) }); controlled != nil || err != nil {
		t.Fatal(controlled, err)
	}
	return fmt.Sprintf("fd:%d", fd)
}
