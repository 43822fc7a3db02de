// Package conformance holds rouse, or any other static file server, against what static-web-server 2.44 does: a numbered
// list of points (C1 to C18), each asked over HTTP/1.1, HTTP/1.1 with TLS, HTTP/2 and h2c where it is not specific to one.
// Where static-web-server does the wrong thing by an RFC, the right thing is asked for. Numbers that end in a letter were added
// to the list.
//
//	go test ./tests/conformance                              all points; a listing at the end (-v: of all, else of failures)
//	go test -run 'Conformance/C5/C5.3$' ./tests/conformance   one point
//
//	ROUSE_CONFORMANCE_LISTING=1   the listing names what passed too
//	ROUSE_CONFORMANCE_ARGS=…      more options for every server that is started
//	ROUSE_CONFORMANCE_FIXTURE=DIR with -run Fixture: writes the folder that is served to DIR/site, and ends
//	ROUSE_CONFORMANCE_URL=URL     asks the server at URL, which serves that folder, instead of starting rouse; what needs
//	                              other options than the defaults is then left out, and the listing says why
package conformance

import (
	"os"
	"strings"
	"testing"
)

// point is one number of the list.
type point struct {
	number, title string
	server        setup        // which server is asked
	over          transport    // over which transports; 0: all
	do            func(*asker) // asks and compares
}

// chapter is the points of one subject.
type chapter struct {
	name   string
	points []point
}

func chapters() []chapter {
	return []chapter{
		{"C1", staticFiles()}, {"C2", directories()}, {"C3", conditionals()}, {"C4", ranges()},
		{"C5", compression()}, {"C6", precompressed()}, {"C7", errorPages()}, {"C8", listings()},
		{"C9", markdown()}, {"C10", responseHeaders()}, {"C11", cors()}, {"C12", endpoints()},
		{"C13", rootAndLinks()}, {"C14", configuration()}, {"C15", startUp()}, {"C16", encryption()},
		{"C17", logs()}, {"C18", activated()},
	}
}

func TestConformance(t *testing.T) {
	list := newListing(t, "conformance")
	servers := newServers(t)
	for _, c := range chapters() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, p := range c.points {
				t.Run(p.number, func(t *testing.T) { p.check(t, servers, list) })
			}
		})
	}
}

// check asks over all transports that the point and the server have.
func (p point) check(t *testing.T, servers *servers, list *listing) {
	if reason := servers.cannot(p); reason != "" {
		list.add(row{number: p.number, title: p.title, over: "-", outcome: left, expected: reason})
		t.Skip(reason)
	}
	if p.server.own {
		p.ask(t, servers, nil, 0, list)
		return
	}
	server := servers.get(p.server)
	for _, over := range transports() {
		if p.over&over == 0 && p.over != 0 || server.clients[over] == nil {
			continue
		}
		t.Run(over.String(), func(t *testing.T) { p.ask(t, servers, server, over, list) })
	}
}

func (p point) ask(t *testing.T, servers *servers, server *server, over transport, list *listing) {
	a := &asker{T: t, point: p, servers: servers, server: server, over: over, list: list}
	defer func() {
		if t.Failed() && !a.failed { // something broke off before it could be compared
			a.compare("", "the point to be carried out", "it broke off: see the test's output", false)
		}
	}()
	p.do(a)
}

// The folder is written for another server, which ROUSE_CONFORMANCE_URL then names.
func TestFixture(t *testing.T) {
	dir := os.Getenv("ROUSE_CONFORMANCE_FIXTURE")
	if dir == "" {
		dir = t.TempDir()
	}
	writeFixture(t, dir)
}

// moreArgs are options for every server that is started.
func moreArgs() []string { return strings.Fields(os.Getenv("ROUSE_CONFORMANCE_ARGS")) }
