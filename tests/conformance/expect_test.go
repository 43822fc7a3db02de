package conformance

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// expectation is one thing that a reply must have: what it should be, what it is, and whether that is right.
type expectation func(r *reply) (expected, got string, holds bool)

// want compares the reply with a status and expectations, as one row of the listing.
func (r *reply) want(status int, all ...expectation) *reply {
	r.a.Helper()
	expected := []string{strconv.Itoa(status)}
	if r.err != nil || r.Response == nil {
		r.a.compare(r.asked, expected[0], r.failure(), false)
		return r
	}
	got, holds := []string{strconv.Itoa(r.StatusCode)}, r.StatusCode == status
	for _, one := range all {
		e, g, ok := one(r)
		if e == "" {
			continue
		}
		expected, got, holds = append(expected, e), append(got, g), holds && ok
	}
	r.a.compare(r.asked, strings.Join(expected, "; "), strings.Join(got, "; "), holds)
	return r
}

// failure is why there is no reply: that the server could not be started says more than that nobody answered.
func (r *reply) failure() string {
	text := fmt.Sprintf("no reply: %v", r.err)
	if r.a.server == nil || r.a.server.process == nil {
		return text
	}
	p := r.a.server.process
	select {
	case <-p.Ended():
		return "no reply: the server has ended: " + p.Stderr.String()
	default:
		return text
	}
}

// is expects a field's value.
func is(name, value string) expectation {
	return func(r *reply) (string, string, bool) {
		got := r.field(name)
		return name + ": " + value, name + ": " + got, got == value
	}
}

// no expects that there is no such field.
func no(names ...string) expectation {
	return func(r *reply) (string, string, bool) {
		got := "no " + strings.Join(names, ", ")
		holds := true
		for _, name := range names {
			if r.Header.Values(name) != nil {
				got, holds = name+": "+r.field(name), false
			}
		}
		return "no " + strings.Join(names, ", "), got, holds
	}
}

// some expects that there is such a field.
func some(name string) expectation { return matches(name, ".+") }

// matches expects a field whose value matches.
func matches(name, pattern string) expectation {
	expression := regexp.MustCompile("^(?:" + pattern + ")$")
	return func(r *reply) (string, string, bool) {
		got := r.field(name)
		return name + ": ~" + pattern, name + ": " + got, expression.MatchString(got)
	}
}

// list expects exactly these elements in a list field, whatever their order and case.
func list(name string, elements ...string) expectation {
	return func(r *reply) (string, string, bool) {
		got := split(r.field(name))
		return name + ": {" + strings.Join(elements, ", ") + "}", name + ": " + r.field(name), slices.Equal(got, split(strings.Join(elements, ",")))
	}
}

// varies expects at least these elements in Vary, none twice.
func varies(elements ...string) expectation {
	return func(r *reply) (string, string, bool) {
		got := split(r.field("Vary"))
		holds := len(slices.Compact(slices.Clone(got))) == len(got)
		for _, e := range elements {
			holds = holds && slices.Contains(got, e)
		}
		return "Vary with " + strings.Join(elements, ", "), "Vary: " + r.field("Vary"), holds
	}
}

func split(field string) []string {
	var elements []string
	for e := range strings.SplitSeq(strings.ToLower(field), ",") {
		if e = strings.TrimSpace(e); e != "" {
			elements = append(elements, e)
		}
	}
	slices.Sort(elements)
	return elements
}

// kind expects a media type, with whatever parameters.
func kind(mediaType string) expectation {
	return func(r *reply) (string, string, bool) {
		got, _, _ := strings.Cut(r.field("Content-Type"), ";")
		return "type " + mediaType, "type " + got, got == mediaType
	}
}

// body expects exactly this content.
func body(text string) expectation {
	return func(r *reply) (string, string, bool) {
		return "body " + show([]byte(text)), "body " + show(r.body), string(r.body) == text
	}
}

// show is a body's size and beginning.
func show(content []byte) string {
	return fmt.Sprintf("of %d B %.24q", len(content), content)
}

// length expects a Content-Length.
func length(n int) expectation { return is("Content-Length", strconv.Itoa(n)) }

// rightLength expects the right Content-Length, or none (as for content that is made on the way).
func rightLength() expectation {
	return func(r *reply) (string, string, bool) {
		got := r.field("Content-Length")
		return "", got, got == "" || got == strconv.Itoa(len(r.body))
	}
}

// contains expects these texts in the body.
func contains(texts ...string) expectation {
	return func(r *reply) (string, string, bool) {
		for _, text := range texts {
			if !bytes.Contains(r.body, []byte(text)) {
				return "body with " + strings.Join(texts, ", "), "no " + text + " in body " + show(r.body), false
			}
		}
		return "body with " + strings.Join(texts, ", "), "all of them", true
	}
}

// lacks expects none of these texts in the body.
func lacks(texts ...string) expectation {
	return func(r *reply) (string, string, bool) {
		for _, text := range texts {
			if bytes.Contains(r.body, []byte(text)) {
				return "body without " + strings.Join(texts, ", "), "body with " + text, false
			}
		}
		return "body without " + strings.Join(texts, ", "), "none of them", true
	}
}

// encoded expects text in this coding ("" is identity), with the right length or none.
func encoded(coding, text string) expectation {
	return func(r *reply) (string, string, bool) {
		name := func(coding string) string {
			if coding == "" {
				return "identity"
			}
			return coding
		}
		content, err := decode(r.field("Content-Encoding"), r.body)
		got := name(r.field("Content-Encoding")) + " " + show(content)
		if err != nil {
			got = fmt.Sprintf("%s that cannot be decoded: %v", r.field("Content-Encoding"), err)
		}
		_, length, right := rightLength()(r)
		if !right {
			got += " with Content-Length: " + length
		}
		return name(coding) + " " + show([]byte(text)), got, err == nil && right && r.field("Content-Encoding") == coding && string(content) == text
	}
}

// decode takes a content coding away.
func decode(coding string, content []byte) ([]byte, error) {
	var from io.Reader
	var err error
	switch coding {
	case "":
		return content, nil
	case "gzip":
		from, err = gzip.NewReader(bytes.NewReader(content))
	case "deflate": // RFC 9110 §8.4.1.2: the zlib format
		from, err = zlib.NewReader(bytes.NewReader(content))
	case "br":
		from = brotli.NewReader(bytes.NewReader(content))
	case "zstd":
		from, err = zstd.NewReader(bytes.NewReader(content), zstd.WithDecoderConcurrency(1))
	default:
		err = errors.New("an unknown coding")
	}
	if err != nil {
		return nil, err
	}
	return io.ReadAll(from)
}
