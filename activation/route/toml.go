package route

import (
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/rouse-server/rouse/activation/relay"
	"github.com/rouse-server/rouse/activation/route/spelling"
)

// usualDesk is where backends register when the file does not say.
const usualDesk = "/run/rouse/dispatch.sock"

// readTOML reads Rouse's own file of rules. What is wrong with it is added to p.
func readTOML(file string, text []byte, p *problems) Config {
	top := parseTOML(file, text, p)
	if top == nil {
		return Config{}
	}
	r := &reader{problems: p, file: file, top: top, sets: map[string]*set{}, patience: usualPatience}
	known := fields{
		"socket": r.desk, "wait": func(n *node) { r.patience = r.duration(n) },
		"fallback": nothing, "listeners": nothing, "sets": nothing, "backends": nothing, "routes": nothing,
	}
	for _, name := range SettingNames() {
		known[name] = r.setting
	}
	r.fields("the file", top, known)
	if top.get("socket") == nil {
		r.c.Desks = []Desk{{At: Position{File: file}, Path: usualDesk, Mode: anybody, Owner: -1, Group: -1}}
	}
	for _, name := range r.table(top.get("sets")) {
		r.set(name)
	}
	for _, name := range r.table(top.get("listeners")) {
		r.listener(name, top.get("listeners").get(name))
	}
	for _, name := range r.table(top.get("backends")) {
		r.backend(name, top.get("backends").get(name))
	}
	r.routes(top.get("routes"))
	return r.c
}

// setting takes an option of the dispatcher's as it is written.
func (r *reader) setting(n *node) {
	if n.table != nil || n.kind == unstable.Array {
		r.wrong(n, "it is %s; write one value, as behind --%s", n.what(), n.key)
		return
	}
	r.c.Settings = append(r.c.Settings, Setting{n.key, n.text, r.at(n)})
}

// reader turns a document into a Config.
type reader struct {
	*problems
	file     string
	top      *node
	c        Config
	sets     map[string]*set
	patience time.Duration
}

// set is a named list of prefixes.
type set struct {
	list []Prefix
	busy bool // it is being read
}

// fields says what is done with each key of a table.
type fields map[string]func(*node)

// nothing is for keys that are read elsewhere.
func nothing(*node) {}

func (r *reader) at(n *node) Position { return Position{File: r.file, Line: n.line} }

// wrong notes what is wrong with a value.
func (r *reader) wrong(n *node, format string, arguments ...any) {
	r.add(r.at(n), n.token(), format, arguments...)
}

func (r *reader) notice(n *node, format string, arguments ...any) {
	r.c.Notices = append(r.c.Notices, fmt.Sprintf("%s: %s: %s", r.at(n), n.token(), fmt.Sprintf(format, arguments...)))
}

// fields goes through the keys of a table in their order. of says what the table is.
func (r *reader) fields(of string, n *node, known fields) {
	if n.table == nil {
		r.wrong(n, "%s is a table, and this is %s; write [%s] and its keys below", of, n.what(), n.key)
		return
	}
	for _, name := range n.names {
		if read, ok := known[name]; ok {
			read(n.table[name])
			continue
		}
		words := slices.Sorted(maps.Keys(known))
		r.add(r.at(n.table[name]), name, "%s has no such key%s; there are %s", of, spelling.Suggestion(name, words), strings.Join(words, ", "))
	}
}

// table returns the names in a table of tables, in their order; none where it is not there.
func (r *reader) table(n *node) []string {
	if n == nil {
		return nil
	}
	if n.table == nil {
		r.wrong(n, "it is %s; write [%s.NAME] and its keys below", n.what(), n.key)
		return nil
	}
	return slices.DeleteFunc(slices.Clone(n.names), func(name string) bool {
		legal := name != "" && strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == ""
		if !legal {
			r.add(r.at(n.table[name]), strconv.Quote(name), "a name in [%s] has letters, digits, dots, - and _; choose another", n.key)
		}
		return !legal
	})
}

// texts returns a list of strings, of which a single one may stand for a list of it.
func (r *reader) texts(n *node) []*node {
	if n.kind == unstable.String {
		return []*node{n}
	}
	if n.kind != unstable.Array {
		r.wrong(n, "it is %s; write a text, or a list of them", n.what())
		return nil
	}
	if len(n.list) == 0 {
		r.wrong(n, "the list is empty; write something into it, or leave the key out")
	}
	return slices.DeleteFunc(slices.Clone(n.list), func(entry *node) bool {
		if entry.kind != unstable.String {
			r.wrong(entry, "it is %s; write a text in quotation marks", entry.what())
		}
		return entry.kind != unstable.String
	})
}

// text returns a string that is not empty; ok is false where there is none.
func (r *reader) text(n *node) (text string, ok bool) {
	switch {
	case n.kind != unstable.String:
		r.wrong(n, "it is %s; write a text in quotation marks", n.what())
	case n.text == "":
		r.wrong(n, "the text is empty; write something, or leave the key out")
	default:
		return n.text, true
	}
	return "", false
}

// choice returns a word that is one of some.
func (r *reader) choice(n *node, words ...string) string {
	text, ok := r.text(n)
	if ok && !slices.Contains(words, text) {
		r.wrong(n, "there is no such choice%s; write %s", spelling.Suggestion(text, words), strings.Join(words, ", "))
	}
	return text
}

// truth returns true or false.
func (r *reader) truth(n *node) bool {
	if n.kind != unstable.Bool {
		r.wrong(n, "it is %s; write true or false, without quotation marks", n.what())
	}
	return n.text == "true"
}

// number returns an integer between two others.
func (r *reader) number(n *node, least, most uint64) uint64 {
	value, err := strconv.ParseUint(strings.ReplaceAll(n.text, "_", ""), 0, 64)
	if n.kind != unstable.Integer || err != nil || value < least || value > most {
		r.wrong(n, "it has to be a number from %d to %d; write one, without quotation marks", least, most)
	}
	return value
}

// duration returns a time that is more than none.
func (r *reader) duration(n *node) time.Duration {
	text, ok := r.text(n)
	d, err := time.ParseDuration(text)
	if ok && (err != nil || d <= 0) {
		r.wrong(n, "it is no time to wait; write a number and a unit, such as 500ms, 30s or 2m")
	}
	return d
}

// anybody is the mode of a desk that every user can reach: who may register is told by the user.
const anybody = 0o666

// desk reads the top key socket: a path, or a table.
func (r *reader) desk(n *node) {
	d := Desk{At: r.at(n), Mode: anybody, Owner: -1, Group: -1}
	path := func(n *node) { d.Path, _ = r.text(n) }
	if n.kind == unstable.String {
		path(n)
	} else {
		r.fields("socket", n, fields{
			"path": path,
			"mode": func(n *node) {
				text, ok := r.text(n)
				mode, err := strconv.ParseUint(text, 8, 32)
				if ok && (err != nil || fs.FileMode(mode)&^fs.ModePerm != 0) {
					r.wrong(n, "it is no mode; write three octal digits, such as \"0660\"")
				}
				d.Mode = uint32(mode)
			},
			"owner": func(n *node) { d.Owner = r.one(n, r.user) },
			"group": func(n *node) { d.Group = r.one(n, r.group) },
		})
		if n.table != nil && n.get("path") == nil {
			d.Path = usualDesk
		}
	}
	r.c.Desks = []Desk{d}
}

// one reads a single user or group; -1 where it is wrong.
func (r *reader) one(n *node, read func(*node) (uint32, bool)) int {
	if id, ok := read(n); ok {
		return int(id)
	}
	return -1
}

// identities reads a list of users or groups.
func (r *reader) identities(n *node, read func(*node) (uint32, bool)) []uint32 {
	list := []*node{n}
	if n.kind == unstable.Array {
		if list = n.list; len(list) == 0 {
			r.wrong(n, "the list is empty; write something into it, or leave the key out")
		}
	}
	var ids []uint32
	for _, entry := range list {
		if id, ok := read(entry); ok && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

func (r *reader) user(n *node) (uint32, bool) {
	return r.identity(n, "user", func(name string) (string, error) {
		u, err := user.Lookup(name)
		if err != nil {
			return "", err
		}
		return u.Uid, nil
	})
}

func (r *reader) group(n *node) (uint32, bool) {
	return r.identity(n, "group", func(name string) (string, error) {
		g, err := user.LookupGroup(name)
		if err != nil {
			return "", err
		}
		return g.Gid, nil
	})
}

// identity reads the name or number of a user or group.
func (r *reader) identity(n *node, what string, find func(string) (string, error)) (uint32, bool) {
	if n.kind != unstable.String && n.kind != unstable.Integer || n.text == "" {
		r.wrong(n, "it is no %s; write a name in quotation marks, or a number", what)
		return 0, false
	}
	id, err := strconv.ParseUint(n.text, 10, 32)
	if err == nil {
		return uint32(id), true
	}
	text, err := find(n.text)
	if err == nil {
		id, err = strconv.ParseUint(text, 10, 32)
	}
	if err != nil {
		r.wrong(n, "this machine has no such %s; add it, or write another or a number", what)
	}
	return uint32(id), err == nil
}

// set reads a set once, and those that it names.
func (r *reader) set(name string) []Prefix {
	if s, ok := r.sets[name]; ok {
		return s.list
	}
	s := &set{busy: true}
	r.sets[name] = s
	s.list = r.prefixes(r.top.get("sets").get(name))
	s.busy = false
	return s.list
}

// prefixes reads a list of addresses, prefixes and sets. A set that stands there alone is not copied.
func (r *reader) prefixes(n *node) []Prefix {
	entries := r.texts(n)
	var list []Prefix
	for _, entry := range entries {
		name, ok := strings.CutPrefix(entry.text, "@")
		if !ok {
			if p, ok := r.prefix(entry, entry.text); ok {
				list = append(list, p)
			}
			continue
		}
		found := r.named(entry, name)
		if len(entries) == 1 {
			return found
		}
		list = append(list, found...)
	}
	return list
}

// prefix reads one address or prefix.
func (r *reader) prefix(n *node, text string) (Prefix, bool) {
	p, cut, err := parsePrefix(text)
	if err != nil {
		r.wrong(n, "%s", err)
		return p, false
	}
	if cut {
		r.notice(n, "it has bits outside the mask, so %s is taken", p)
	}
	return p, true
}

// named returns the prefixes of a set that an entry names.
func (r *reader) named(n *node, name string) []Prefix {
	sets := r.top.get("sets")
	switch {
	case sets.get(name) == nil:
		words := []string{}
		if sets != nil {
			words = sets.names
		}
		r.wrong(n, "there is no such set%s; write [sets] and %s = [\"192.0.2.0/24\"]", spelling.Suggestion(name, words), cmp.Or(name, "NAME"))
		return nil
	case r.sets[name] != nil && r.sets[name].busy:
		r.wrong(n, "the set contains itself; take it out")
		return nil
	}
	return r.set(name)
}

// ranges reads a list of ports: numbers, and texts that may be ranges.
func (r *reader) ranges(n *node) []Ports {
	entries := []*node{n}
	if n.kind == unstable.Array {
		if entries = n.list; len(entries) == 0 {
			r.wrong(n, "the list is empty; write something into it, or leave the key out")
		}
	}
	var list []Ports
	for _, entry := range entries {
		if entry.kind != unstable.Integer && entry.kind != unstable.String {
			r.wrong(entry, "it is %s; write a port such as 443, or a range such as \"8000-8999\"", entry.what())
			continue
		}
		p, err := parsePorts(entry.text)
		if err != nil {
			r.wrong(entry, "%s", err)
			continue
		}
		list = append(list, p)
	}
	return list
}

// header reads the version of the PROXY protocol.
func (r *reader) header(n *node) relay.Header {
	return relay.Header(r.choice(n, string(relay.V1), string(relay.V2)))
}
