package route

import (
	"bytes"
	"errors"
	"fmt"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// node is a value of a TOML document (https://toml.io/en/v1.0.0), and where it stands.
type node struct {
	line  int
	key   string // under which it stands; of an entry of a list that of the list
	kind  unstable.Kind
	text  string  // of a string what it says, of other values what is written there
	list  []*node // of an array
	names []string
	table map[string]*node // of a table, also by [name] and by dots; names has the keys in their order
}

// parseTOML reads a document. Where it is not TOML, that is added to p, and there is no node.
func parseTOML(file string, text []byte, p *problems) *node {
	var checked map[string]any // what the tree cannot see: keys that stand there twice, numbers that are none
	if err := toml.Unmarshal(text, &checked); err != nil {
		at := Position{File: file}
		if wrong, ok := errors.AsType[*toml.DecodeError](err); ok {
			var column int
			at.Line, column = wrong.Position()
			p.add(at, fmt.Sprintf("column %d", column), "not TOML: %s", strings.TrimPrefix(wrong.Error(), "toml: "))
		} else {
			p.add(at, "", "not TOML: %s", strings.TrimPrefix(err.Error(), "toml: "))
		}
		return nil
	}
	t := tree{root: newTable("", 1)}
	for i, c := range text {
		if c == '\n' {
			t.ends = append(t.ends, i)
		}
	}
	t.parser.Reset(text)
	table := t.root
	for t.parser.NextExpression() {
		switch e := t.parser.Expression(); e.Kind {
		case unstable.Table, unstable.ArrayTable:
			table = t.header(e)
		case unstable.KeyValue:
			t.pair(table, e)
		}
	}
	return t.root
}

// tree is a document that is taken apart. It was checked before, so nothing is wrong with its form.
type tree struct {
	parser unstable.Parser
	root   *node
	ends   []int // where the lines end
}

func (t *tree) line(at unstable.Range) int { return sort.SearchInts(t.ends, int(at.Offset)) + 1 }

func newTable(key string, line int) *node {
	return &node{line: line, key: key, kind: unstable.Table, table: map[string]*node{}}
}

// header returns the table that a [name] or [[name]] begins.
func (t *tree) header(e *unstable.Node) *node {
	table := t.root
	for key := e.Key(); key.Next(); {
		line, last := t.line(key.Node().Raw), key.IsLast()
		name := string(key.Node().Data)
		below := table.get(name)
		if below == nil {
			below = newTable(name, line)
			if last && e.Kind == unstable.ArrayTable {
				below.kind, below.table = unstable.Array, nil
			}
			table.put(name, below)
		}
		if last && e.Kind == unstable.ArrayTable {
			below.list = append(below.list, newTable(name, line))
		}
		if below.kind == unstable.Array {
			below = below.list[len(below.list)-1]
		}
		if last {
			below.line = line
		}
		table = below
	}
	return table
}

// pair enters a key and its value into a table; dots in the key are tables below.
func (t *tree) pair(table *node, e *unstable.Node) {
	for key := e.Key(); key.Next(); {
		name, line := string(key.Node().Data), t.line(key.Node().Raw)
		if key.IsLast() {
			table.put(name, t.value(name, line, e.Value()))
			return
		}
		below := table.get(name)
		if below == nil {
			below = newTable(name, line)
			table.put(name, below)
		}
		table = below
	}
}

// value turns a value into a node. line is where its key stands.
func (t *tree) value(key string, line int, e *unstable.Node) *node {
	if e.Raw.Length > 0 {
		line = t.line(e.Raw)
	}
	switch e.Kind {
	case unstable.InlineTable:
		n := newTable(key, line)
		for it := e.Children(); it.Next(); {
			if it.Node().Kind == unstable.KeyValue {
				t.pair(n, it.Node())
			}
		}
		return n
	case unstable.Array:
		n := &node{line: line, key: key, kind: unstable.Array}
		for it := e.Children(); it.Next(); {
			if it.Node().Kind != unstable.Comment {
				n.list = append(n.list, t.value(key, line, it.Node()))
			}
		}
		return n
	}
	return &node{line: line, key: key, kind: e.Kind, text: string(bytes.ToValidUTF8(e.Data, []byte("?")))}
}

// get is what stands under a key, or nil; so it is in a table that is not there.
func (n *node) get(key string) *node {
	if n == nil {
		return nil
	}
	return n.table[key]
}

func (n *node) put(key string, value *node) {
	if n.table[key] == nil {
		n.names = append(n.names, key)
	}
	n.table[key] = value
}

// token is the node in a message: its key, and its value as far as that is short.
func (n *node) token() string {
	text := n.text
	if len(text) > 60 {
		text = text[:60]
		for !utf8.ValidString(text) {
			text = text[:len(text)-1]
		}
		text += "…"
	}
	switch n.kind {
	case unstable.Table, unstable.InlineTable, unstable.Array:
		return n.key
	case unstable.String:
		return fmt.Sprintf("%s %q", n.key, text)
	}
	return n.key + " " + text
}

// what says what kind of value it is.
func (n *node) what() string {
	switch n.kind {
	case unstable.Table, unstable.InlineTable:
		return "a table"
	case unstable.Array:
		return "a list"
	case unstable.String:
		return "a text"
	case unstable.Integer, unstable.Float:
		return "a number"
	case unstable.Bool:
		return "true or false"
	}
	return "a time"
}
