package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/platform"
)

// row is what is known of one inherited socket.
type row struct {
	Number   int    `json:"number"`
	Name     string `json:"name"`
	Source   string `json:"source"`
	Kind     string `json:"kind"`
	Family   string `json:"family"`
	Type     string `json:"type"`
	Protocol string `json:"protocol"`
	Address  string `json:"address"`
	Peer     string `json:"peer,omitempty"`
	State    string `json:"state"`
	Serve    string `json:"serve"` // what serve would do with it
}

// sockets is `rouse sockets`: a table of the inherited sockets, under the same options as serve.
func sockets(c console) error {
	asJSON := slices.Contains(c.args, "--json")
	c.args = slices.DeleteFunc(slices.Clone(c.args), func(a string) bool { return a == "--json" })
	opener := activation.NewOpener()
	s, notices, err := loadServe(c)
	if err != nil {
		return err
	}
	more, err := s.checkSocketOptions()
	if err == nil {
		err = s.checkTLS()
	}
	if err != nil {
		return err
	}
	rows, seen, err := s.inherited(opener)
	if err != nil {
		return err
	}
	notices = slices.Concat(notices, more, seen)
	if len(rows) == 0 {
		notices = append(notices, "no sockets were inherited: not by LISTEN_FDS, launchd or standard input; "+s.wouldBind())
	} else if s.given["listen"] == "" {
		notices = append(notices, s.unused(rows[0].Source)...)
	}
	if asJSON {
		encoder := json.NewEncoder(c.stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(map[string]any{"sockets": rows, "notices": append([]string{}, notices...)})
	}
	return writeTable(c.stdout, rows, notices)
}

// writeTable is for people. Why a socket cannot be served is too long for it, and stands beneath.
func writeTable(to io.Writer, rows []row, notices []string) error {
	var b strings.Builder
	for _, text := range notices {
		fmt.Fprintln(&b, printable(text))
	}
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	if len(rows) > 0 {
		fmt.Fprintln(table, "NUMBER\tNAME\tSOURCE\tKIND\tFAMILY\tPROTOCOL\tADDRESS\tSTATE\tSERVE WOULD")
	}
	var refusals []string
	for _, r := range rows {
		state := r.State
		if r.Peer != "" {
			state += " to " + r.Peer
		}
		would := r.Serve
		if reason, ok := strings.CutPrefix(would, refusal); ok {
			would, refusals = "not start, see below", appendNew(refusals, refusal+reason)
		}
		cells := []string{strconv.Itoa(r.Number), r.Name, r.Source, r.Kind, r.Family, r.Protocol, r.Address, state, would}
		for i, cell := range cells {
			cells[i] = printable(cmp.Or(cell, "-"))
		}
		fmt.Fprintln(table, strings.Join(cells, "\t"))
	}
	table.Flush()
	for _, text := range refusals {
		fmt.Fprintln(&b, "serve would "+printable(text))
	}
	_, err := io.WriteString(to, b.String())
	return err
}

// refusal stands before the reason of a socket that cannot be served.
const refusal = "not start: "

// inherited describes what was passed: with --listen, first what its addresses name, then what they leave.
func (s *settings) inherited(opener *activation.Opener) (rows []row, notices []string, err error) {
	rows = []row{}
	var good []activation.Socket // of the rows that have no refusal
	named := map[int]bool{}
	add := func(d activation.Descriptor, role string) {
		r, socket := s.describe(d, role)
		if named[d.Number] {
			r.Serve = fmt.Sprintf("%s%s: descriptor %d is named by two addresses: leave one out", refusal, d.Source, d.Number)
		}
		named[d.Number] = true
		if rows = append(rows, r); r.Serve == "" {
			good = append(good, socket)
		}
	}
	fd := s.fd()
	if s.given["listen"] != "" {
		fd = nil
		addresses, err := s.listed()
		if err != nil {
			return nil, nil, err
		}
		for _, a := range addresses {
			descriptors, err := opener.Named(a)
			if err != nil {
				return nil, nil, failure{exitConfig, err}
			}
			for _, d := range descriptors {
				add(d, a.Role)
			}
		}
	}
	found, err := opener.Find(fd)
	if err != nil {
		return nil, nil, failure{exitConfig, err}
	}
	for _, d := range found.Descriptors {
		if named[d.Number] {
			continue
		}
		if add(d, ""); s.given["listen"] != "" {
			rows[len(rows)-1].Serve = "leave it: no address of " + s.given["listen"] + " takes it"
			good = slices.DeleteFunc(good, func(one activation.Socket) bool { return one.Number == d.Number })
		}
	}
	err = s.decide(rows, good)
	for _, d := range opener.Store.Returned() {
		rows = append(rows, s.keptRow(d))
	}
	return rows, found.Notices, err
}

// keptRow tells of a descriptor that the manager kept for the next process: nobody passed it as a socket to serve.
func (s *settings) keptRow(d activation.Descriptor) row {
	r, _ := s.describe(d, "")
	switch address := d.BoundAddress(); {
	case address != "":
		r.Serve = "take it where it would bind " + address + ", else close it: it was kept over a restart"
	case activation.KeptAs(d, ticketKeysName):
		r.Kind, r.Serve = "secret", "take the keys of TLS session tickets from it, which were kept over a restart"
	default:
		r.Serve = "close it: the manager kept it, and nothing here is for it"
	}
	return r
}

// describe inspects one descriptor, and says so where serve would refuse it.
func (s *settings) describe(d activation.Descriptor, role string) (row, activation.Socket) {
	socket, err := activation.Inspect(d)
	socket.Role = role
	info := socket.Info
	r := row{Number: d.Number, Name: d.Name, Source: d.Source, Family: string(info.Family), Type: info.Type, Protocol: info.Protocol, Address: info.Local, Peer: info.Remote, State: string(info.State)}
	if err == nil {
		r.Kind = string(socket.Kind)
		var one []served
		if one, err = s.assign([]activation.Socket{socket}); err == nil {
			_, err = s.certificateFor(one)
		}
	}
	if err != nil {
		r.Serve = refusal + err.Error()
	}
	return r, socket
}

// decide writes into the rows that are still open what serve would do with their sockets, which are the good ones.
func (s *settings) decide(rows []row, good []activation.Socket) error {
	all, err := s.assign(good)
	only := checkSite(all)
	for i := range rows {
		if err == nil && rows[i].Serve == "" {
			rows[i].Serve, all = all[0].would(), all[1:]
			if only != nil {
				rows[i].Serve = refusal + only.Error()
			}
		}
	}
	return err
}

// would says what serve does with the socket.
func (one served) would() string {
	does := "speak " + one.role
	switch {
	case one.redirect:
		does = "redirect to https"
	case one.role == "admin":
		does = "answer health, readiness and metrics"
	}
	switch {
	case one.Kind == activation.Connection:
		return does + " on this connection, then exit"
	case one.Wait:
		return does + " until idle, then exit"
	case one.Info.State == platform.Bound:
		return "listen on it and " + does
	}
	return does
}

// wouldBind says what serve does where nothing was inherited.
func (s *settings) wouldBind() string {
	switch {
	case s.given["listen"] != "":
		return "serve would bind " + s.Listen.String() + ", as " + s.given["listen"] + " says"
	case s.saysNothing():
		return "serve would bind https://localhost:" + bareHTTPS + " and http://localhost:" + bareHTTP + " itself"
	case s.tlsOn():
		return "serve would bind " + net.JoinHostPort(string(s.Host), s.Port.String()) + " itself and speak https"
	}
	return "serve would bind " + net.JoinHostPort(string(s.Host), s.Port.String()) + " itself and speak http"
}
