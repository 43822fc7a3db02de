package main

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// mark is a key's line, counted from 1, and its value as it is written there.
type mark struct {
	line    int
	literal string
}

// locate fills the marks. The document was parsed already, so there is nothing wrong with it.
func (f *file) locate(text []byte) {
	w := walker{file: f, text: text, line: 1, entries: map[string]int{}}
	w.parser.Reset(text)
	table := ""
	for w.parser.NextExpression() {
		switch node := w.parser.Expression(); node.Kind {
		case unstable.Table, unstable.ArrayTable:
			table = w.table(node)
		case unstable.KeyValue:
			w.pair(node, table)
		}
	}
}

// walker goes through a document once, from its beginning to its end.
type walker struct {
	file    *file
	parser  unstable.Parser
	text    []byte
	offset  int // up to which lines were counted
	line    int
	entries map[string]int // how many entries each array of tables has so far
}

// table marks a [table] or [[table]] and returns its path; the parts of its name that are arrays mean their last entries.
func (w *walker) table(node *unstable.Node) string {
	path := ""
	for key := node.Key(); key.Next(); {
		path = joinKey(path, string(key.Node().Data))
		if key.IsLast() && node.Kind == unstable.ArrayTable {
			w.mark(path, key.Node().Raw, "")
			w.entries[path]++
		}
		if n := w.entries[path]; n > 0 {
			path = fmt.Sprintf("%s[%d]", path, n-1)
		}
		w.mark(path, key.Node().Raw, "")
	}
	return path
}

// pair marks a key and what its value holds.
func (w *walker) pair(node *unstable.Node, table string) {
	path, name, end := table, node.Raw, 0
	for key := node.Key(); key.Next(); {
		path, name = joinKey(path, string(key.Node().Data)), key.Node().Raw
		end = int(name.Offset + name.Length)
	}
	_, literal, _ := bytes.Cut(w.text[end:node.Raw.Offset+node.Raw.Length], []byte("="))
	w.mark(path, name, string(bytes.TrimSpace(literal)))
	w.inside(node.Value(), path)
}

func (w *walker) inside(value *unstable.Node, path string) {
	if value.Kind != unstable.Array && value.Kind != unstable.InlineTable {
		return
	}
	i := 0
	for it := value.Children(); it.Next(); i++ {
		node := it.Node()
		if node.Kind == unstable.KeyValue {
			w.pair(node, path)
			continue
		}
		entry := fmt.Sprintf("%s[%d]", path, i)
		if node.Raw.Length > 0 {
			w.mark(entry, node.Raw, "")
		}
		w.inside(node, entry)
	}
}

// mark notes the line of a path. The first mention of a table counts.
func (w *walker) mark(path string, at unstable.Range, literal string) {
	if _, known := w.file.marks[path]; known {
		return
	}
	w.line += bytes.Count(w.text[w.offset:at.Offset], []byte("\n"))
	w.offset = int(at.Offset)
	w.file.marks[path] = mark{w.line, literal}
}

// joinKey appends a key to a path, in quotation marks where it would be mistaken for more than one.
func joinKey(path, key string) string {
	if key == "" || strings.ContainsAny(key, ".[]\"\n") {
		key = fmt.Sprintf("%q", key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// position is FILE:LINE of a key, such as advanced.redirects[1].source; of a key that is not there, it is where the table
// or entry begins that lacks it. Without a file it is empty.
func (s *settings) position(path string) string {
	if s.file == nil {
		return ""
	}
	for rest := path; rest != ""; {
		if m, ok := s.file.marks[rest]; ok {
			return fmt.Sprintf("%s:%d", s.file.path, m.line)
		}
		rest = rest[:max(strings.LastIndexAny(rest, ".["), 0)]
	}
	return s.file.path
}

// wrong is an error about what the file says at that path.
func (s *settings) wrong(path string, err error) error {
	return config("%s: %s: %w", s.position(path), strings.TrimPrefix(path, "general."), err)
}
