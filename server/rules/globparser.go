package rules

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// globParser reads a pattern from left to right.
type globParser struct {
	source   string
	at       int // bytes read
	stars    Stars
	depth    int // braces that are open
	captures int
}

// sequence reads up to the end of the pattern or, in braces, of the alternative.
func (p *globParser) sequence() ([]node, error) {
	var nodes []node
	for p.at < len(p.source) {
		var err error
		switch c := p.source[p.at]; {
		case p.depth > 0 && (c == ',' || c == '}'):
			return checked(nodes)
		case c == '*':
			nodes = p.run(nodes)
		case c == '?':
			p.at++
			nodes = append(nodes, node{kind: anyOne})
		case c == '[':
			nodes, err = p.class(nodes)
		case c == '{':
			nodes, err = p.group(nodes)
		case c == '}':
			err = fmt.Errorf("} at character %d closes nothing; \\} is the character", p.at+1)
		default:
			nodes, err = p.text(nodes)
		}
		if err != nil {
			return nil, err
		}
	}
	return checked(nodes)
}

// checked refuses literals that no path in UTF-8 can contain.
func checked(nodes []node) ([]node, error) {
	for _, n := range nodes {
		if n.kind == literal && !utf8.ValidString(n.text) {
			return nil, fmt.Errorf("%q is not UTF-8", n.text)
		}
	}
	return nodes, nil
}

// text reads one byte of a literal, an escaped one (\*) or an encoded one (%20).
func (p *globParser) text(nodes []node) ([]node, error) {
	c := p.source[p.at]
	p.at++
	switch c {
	case '\\':
		if p.at == len(p.source) {
			return nil, fmt.Errorf("nothing follows the \\ at the end")
		}
		c = p.source[p.at]
		p.at++
	case '%':
		if decoded, ok := unhex(p.source[p.at:]); ok {
			c = decoded
			p.at += 2
		}
	}
	return withText(nodes, string([]byte{c})), nil
}

func withText(nodes []node, text string) []node {
	if last := len(nodes) - 1; last >= 0 && nodes[last].kind == literal {
		nodes[last].text += text
		return nodes
	}
	return append(nodes, node{kind: literal, text: text})
}

// unhex is the byte that two hexadecimal digits at the start of text stand for.
func unhex(text string) (byte, bool) {
	if len(text) < 2 {
		return 0, false
	}
	high, ok1 := digit(text[0])
	low, ok2 := digit(text[1])
	return high<<4 | low, ok1 && ok2
}

func digit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}

// run reads stars. Two that are a whole segment stand for any number of segments, with the slashes around them; any other
// number is one star.
func (p *globParser) run(nodes []node) []node {
	rest := strings.TrimLeft(p.source[p.at:], "*")
	stars := len(p.source) - p.at - len(rest)
	p.at = len(p.source) - len(rest)
	atEnd := rest == "" || p.depth > 0 && (rest[0] == ',' || rest[0] == '}')
	beforeSlash := rest != "" && rest[0] == '/'
	last := len(nodes) - 1
	var afterSlash, afterSegments bool
	if last >= 0 {
		afterSlash = nodes[last].kind == literal && strings.HasSuffix(nodes[last].text, "/")
		afterSegments = nodes[last].kind == leading || nodes[last].kind == middle // which took the slash
	}
	switch {
	case stars != 2, !atEnd && !beforeSlash, last >= 0 && !afterSlash && !afterSegments:
		return append(nodes, node{kind: anyRun})
	case atEnd && afterSlash:
		return append(withoutSlash(nodes), node{kind: trailing})
	case atEnd:
		return append(nodes, node{kind: everything})
	}
	p.at++ // the slash that follows
	switch {
	case afterSegments: // **/**/ is **/
		return nodes
	case afterSlash:
		p.captures++
		return append(withoutSlash(nodes), node{kind: middle})
	}
	p.captures++
	return append(nodes, node{kind: leading})
}

// withoutSlash takes the slash off the end of the last literal.
func withoutSlash(nodes []node) []node {
	last := len(nodes) - 1
	nodes[last].text = strings.TrimSuffix(nodes[last].text, "/")
	if nodes[last].text == "" {
		return nodes[:last]
	}
	return nodes
}

// group reads {a,b}. The empty alternative matches nothing.
func (p *globParser) group(nodes []node) ([]node, error) {
	opened := p.at + 1
	if p.depth == maxDepth {
		return nil, fmt.Errorf("braces at character %d are in %d others; no more are accepted", opened, maxDepth)
	}
	p.depth++
	p.captures++
	n := node{kind: group}
	for {
		p.at++ // { or ,
		alternative, err := p.sequence()
		if err != nil {
			return nil, err
		}
		n.alternatives = append(n.alternatives, alternative)
		if p.at == len(p.source) {
			return nil, fmt.Errorf("{ at character %d is not closed; \\{ is the character", opened)
		}
		if p.source[p.at] == '}' {
			p.at++
			p.depth--
			return append(nodes, n), nil
		}
	}
}

// class reads [a-z] or [!a-z] into a regular expression. A ] that comes first is a character, as is a - at either end.
func (p *globParser) class(nodes []node) ([]node, error) {
	opened := p.at + 1
	rest := p.source[opened:]
	var b strings.Builder
	b.WriteByte('[')
	if rest != "" && (rest[0] == '!' || rest[0] == '^') {
		rest = rest[1:]
		b.WriteByte('^')
		if p.stars == WithinSegment {
			b.WriteByte('/')
		}
	}
	for first := true; ; first = false {
		if rest == "" {
			return nil, fmt.Errorf("[ at character %d is not closed; \\[ is the character", opened)
		}
		if rest[0] == ']' && !first {
			b.WriteByte(']')
			p.at = len(p.source) - len(rest) + 1
			return append(nodes, node{kind: class, text: b.String()}), nil
		}
		low, size := utf8.DecodeRuneInString(rest)
		rest = rest[size:]
		high := low
		if len(rest) > 1 && rest[0] == '-' && rest[1] != ']' {
			high, size = utf8.DecodeRuneInString(rest[1:])
			rest = rest[1+size:]
		}
		if high < low {
			return nil, fmt.Errorf("%c-%c in the [ at character %d begins after its end", low, high, opened)
		}
		fmt.Fprintf(&b, `\x{%x}-\x{%x}`, low, high)
	}
}
