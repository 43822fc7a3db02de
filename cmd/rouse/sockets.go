package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"text/tabwriter"

	"github.com/rouse-server/rouse/activation"
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
	rows, more, err := s.inherited(opener)
	if err != nil {
		return err
	}
	notices = append(notices, more...)
	if asJSON {
		encoder := json.NewEncoder(c.stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(map[string]any{"sockets": rows, "notices": append([]string{}, notices...)})
	}
	for _, text := range notices {
		fmt.Fprintln(c.stdout, text)
	}
	if len(rows) == 0 {
		_, err := fmt.Fprintln(c.stdout, "no sockets were inherited: not by LISTEN_FDS, launchd or standard input")
		return err
	}
	table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NUMBER\tNAME\tSOURCE\tKIND\tFAMILY\tPROTOCOL\tADDRESS\tSTATE\tSERVE WOULD")
	for _, r := range rows {
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Number, dash(r.Name), r.Source, dash(r.Kind), dash(r.Family), dash(r.Protocol), dash(r.Address), dash(r.State), r.Serve)
	}
	return table.Flush()
}

// inherited describes what was passed: with --listen, first what its addresses name, then what they leave.
func (s *settings) inherited(opener *activation.Opener) (rows []row, notices []string, err error) {
	rows = []row{}
	named := map[int]bool{}
	if s.given["listen"] != "" {
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
				named[d.Number] = true
				rows = append(rows, s.describe(d, a.Role))
			}
		}
	}
	found, err := opener.Find(s.fd())
	if err != nil {
		return nil, nil, failure{exitConfig, err}
	}
	for _, d := range found.Descriptors {
		if named[d.Number] {
			continue
		}
		r := s.describe(d, "")
		if s.given["listen"] != "" {
			r.Serve = "leave it: no address of " + s.given["listen"] + " takes it"
		}
		rows = append(rows, r)
	}
	return rows, found.Notices, nil
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// describe inspects one descriptor and decides about it as serve does.
func (s *settings) describe(d activation.Descriptor, role string) row {
	socket, err := activation.Inspect(d)
	socket.Role = role
	info := socket.Info
	r := row{Number: d.Number, Name: d.Name, Source: d.Source, Family: string(info.Family), Type: info.Type, Protocol: info.Protocol, Address: info.Local, Peer: info.Remote, State: string(info.State)}
	if err != nil {
		r.Serve = "refuse it: " + err.Error()
		return r
	}
	r.Kind = string(socket.Kind)
	assigned, err := s.assign([]activation.Socket{socket})
	if err == nil {
		_, err = s.certificateFor(assigned)
	}
	if err != nil {
		r.Serve = "refuse it: " + err.Error()
		return r
	}
	r.Serve = "speak " + assigned[0].role
	if socket.Kind == activation.Connection {
		r.Serve += " on this connection, then exit"
	}
	return r
}
