package listing

import "strings"

// prefersJSON tells whether a client likes application/json better than text/html. fields are the lines of its Accept field
// (RFC 9110 §12.5.1); of the ranges that a media type is in, the narrowest counts.
func prefersJSON(fields []string) bool {
	html, json := liking{"text", "html", 0, 0}, liking{"application", "json", 0, 0}
	for _, element := range tokens(fields) {
		mediaRange, parameters, _ := strings.Cut(element, ";")
		q := weight(parameters)
		if q < 0 {
			continue // not spelled as the RFC says: as if it were absent
		}
		kind, name, _ := strings.Cut(strings.TrimSpace(mediaRange), "/")
		html.add(kind, name, q)
		json.add(kind, name, q)
	}
	return json.q > html.q
}

// liking is how well a client likes a media type.
type liking struct {
	kind, name string
	narrow     int // 3: it was named itself, 2: as kind/*, 1: as */*
	q          int // in thousandths
}

func (l *liking) add(kind, name string, q int) {
	narrow := 0
	switch {
	case kind == l.kind && name == l.name:
		narrow = 3
	case kind == l.kind && name == "*":
		narrow = 2
	case kind == "*" && name == "*":
		narrow = 1
	}
	if narrow > l.narrow || narrow == l.narrow && narrow > 0 && q > l.q {
		l.narrow, l.q = narrow, q
	}
}

// weight is the q among the parameters of a range in thousandths (RFC 9110 §12.4.2): 1000 when there is none, -1 when it is
// malformed.
func weight(parameters string) int {
	for parameter := range strings.SplitSeq(parameters, ";") {
		if value, ok := strings.CutPrefix(strings.TrimSpace(parameter), "q="); ok {
			return thousandths(value)
		}
	}
	return 1000
}

func thousandths(value string) int {
	whole, digits, _ := strings.Cut(value, ".")
	if len(digits) > 3 || strings.Trim(digits, "0123456789") != "" {
		return -1
	}
	switch whole {
	case "0":
		q := 0
		for _, digit := range []byte((digits + "000")[:3]) {
			q = 10*q + int(digit-'0')
		}
		return q
	case "1":
		if strings.Trim(digits, "0") == "" {
			return 1000
		}
	}
	return -1
}

// tokens are the elements of a list field, in lower case.
func tokens(fields []string) []string {
	var list []string
	for _, field := range fields {
		for element := range strings.SplitSeq(field, ",") {
			if element = strings.ToLower(strings.TrimSpace(element)); element != "" {
				list = append(list, element)
			}
		}
	}
	return list
}
