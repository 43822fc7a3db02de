package rules

import (
	"fmt"
	"regexp"
	"strings"
)

// Stars says how far * and ? of a pattern reach.
type Stars int

const (
	WithinSegment  Stars = iota // they match anything but a slash: redirects and rewrites
	AcrossSegments              // they match slashes too: headers and early hints
)

// Glob is a pattern for whole paths, case-sensitive, in the language of static-web-server (globset):
//
//   - ?           any run of characters, any one; see Stars
//     [a-z] [!a-z]   one of these, or any other but a slash within a segment
//     {a,b}          one of these, which may be patterns themselves; an alternative that is ** matches anything
//     **/  /**/  /** at the start, in the middle, at the end: any number of segments; elsewhere ** is *
//     \x             the character x itself
//
// Captures are counted from 1, by where they open: each {…}, each **/ at the start, each /**/.
//
// What it is held against is the decoded path, so %2e in a request is the dot that the file system will see; %20 in a
// pattern is a space. Matching takes time proportional to the path's length (regexp is RE2).
type Glob struct {
	pattern
	source   string
	captures int
}

// Bounds of a pattern: with them its compiled form stays below some hundred kilobytes.
const (
	maxPattern = 2048 // bytes
	maxDepth   = 8    // of braces in braces
)

// Compile reads a pattern. The error says what is wrong with it, and where.
func Compile(source string, stars Stars) (*Glob, error) {
	if source == "" {
		return nil, fmt.Errorf("missing; a pattern such as /docs/* or **/*.html is wanted")
	}
	if len(source) > maxPattern {
		return nil, fmt.Errorf("%d bytes long; %d are accepted", len(source), maxPattern)
	}
	p := globParser{source: source, stars: stars}
	nodes, err := p.sequence()
	if err != nil {
		return nil, fmt.Errorf("%q: %w", source, err)
	}
	g := &Glob{source: source, captures: p.captures}
	g.prefix, g.exact = prefixOf(nodes)
	if g.exact {
		return g, nil
	}
	g.needle = needleOf(nodes)
	g.suffixes = suffixesOf(nodes)
	var b strings.Builder
	b.WriteString(`(?s)\A`)
	writeNodes(&b, nodes, stars)
	b.WriteString(`\z`)
	if g.expression, err = regexp.Compile(b.String()); err != nil {
		return nil, fmt.Errorf("%q cannot be compiled: %w", source, err)
	}
	return g, nil
}

// String is the pattern as it was written.
func (g *Glob) String() string { return g.source }

// Match tells whether the pattern matches a decoded path.
func (g *Glob) Match(path string) bool { return g.match(path) }

// node is one element of a pattern.
type node struct {
	kind         kind
	text         string   // of a literal; the regular expression of a class
	alternatives [][]node // of a group
}

type kind int

const (
	literal    kind = iota
	anyOne          // ?
	anyRun          // *
	class           // [a-z]
	leading         // **/ at the start
	middle          // /**/
	trailing        // /** at the end
	everything      // ** alone
	group           // {a,b}
)

// writeNodes writes the regular expression of nodes. Its groups are the pattern's captures.
func writeNodes(b *strings.Builder, nodes []node, stars Stars) {
	one := `[^/]`
	if stars == AcrossSegments {
		one = `.`
	}
	for _, n := range nodes {
		switch n.kind {
		case literal:
			b.WriteString(regexp.QuoteMeta(n.text))
		case anyOne:
			b.WriteString(one)
		case anyRun:
			b.WriteString(one + `*`)
		case class:
			b.WriteString(n.text)
		case leading:
			b.WriteString(`(/?|.*/)`)
		case middle:
			b.WriteString(`(/|/.*/)`)
		case trailing:
			b.WriteString(`/.*`)
		case everything:
			b.WriteString(`.*`)
		case group:
			for i, alternative := range n.alternatives {
				b.WriteByte("(|"[min(i, 1)])
				writeNodes(b, alternative, stars)
			}
			b.WriteByte(')')
		}
	}
}

// prefixOf is what every match begins with, and whether that is all of it.
func prefixOf(nodes []node) (prefix string, whole bool) {
	for _, n := range nodes {
		if n.kind != literal {
			return prefix, false
		}
		prefix += n.text
	}
	return prefix, true
}

// needleOf is the longest literal amid the pattern: what every match contains.
func needleOf(nodes []node) (needle string) {
	for i, n := range nodes {
		if n.kind == literal && i > 0 && i < len(nodes)-1 && len(n.text) > len(needle) {
			needle = n.text
		}
	}
	return needle
}

// No more ends than these are looked for before the regular expression is asked.
const maxSuffixes = 16

// suffixesOf is what every match ends with: one of these. None means that there is no telling.
func suffixesOf(nodes []node) []string {
	suffixes := []string{""}
	for i := len(nodes) - 1; i >= 0; i-- {
		var before []string
		switch n := nodes[i]; n.kind {
		case literal:
			before = []string{n.text}
		case group:
			for _, alternative := range n.alternatives {
				text, whole := prefixOf(alternative)
				if !whole {
					return known(suffixes)
				}
				before = append(before, text)
			}
		default:
			return known(suffixes)
		}
		if len(before)*len(suffixes) > maxSuffixes {
			break
		}
		var longer []string
		for _, head := range before {
			for _, tail := range suffixes {
				longer = append(longer, head+tail)
			}
		}
		suffixes = longer
	}
	return known(suffixes)
}

// known leaves out suffixes that say nothing.
func known(suffixes []string) []string {
	for _, s := range suffixes {
		if s == "" {
			return nil
		}
	}
	return suffixes
}
