// Package accept reads what clients say that they like: the weights of content negotiation (RFC 9110 §12.4.2), and of media
// types in Accept.
package accept

import "strings"

// Weight reads "q=" and a qvalue, and returns it in thousandths. It is false for what is not spelled as the RFC says.
func Weight(text string) (thousandths int, ok bool) {
	if len(text) < 3 || text[0]|0x20 != 'q' || text[1] != '=' {
		return 0, false
	}
	whole, digits, point := strings.Cut(text[2:], ".")
	if whole != "0" && whole != "1" || point && len(digits) > 3 {
		return 0, false
	}
	for i := range 3 {
		thousandths *= 10
		if i < len(digits) {
			if digits[i] < '0' || digits[i] > '9' {
				return 0, false
			}
			thousandths += int(digits[i] - '0')
		}
	}
	if whole == "1" {
		thousandths += 1000
	}
	return thousandths, thousandths <= 1000
}

// Liking is how well a client likes a media type.
type Liking struct {
	Weight int  // in thousandths; 0: it does not want it
	Named  bool // the type itself is named, and not only a range that it is in
}

// Media tells how well a client likes a media type such as text/html. fields are the lines of its Accept field (RFC 9110
// §12.5.1). Of the ranges that the type is in the narrowest counts, and of equal ones the heaviest; an element that is not
// spelled as the RFC says counts as absent.
func Media(fields []string, mediaType string) Liking {
	kind, _, _ := strings.Cut(mediaType, "/")
	var best Liking
	narrowest := 0
	for _, field := range fields {
		for element := range strings.SplitSeq(field, ",") {
			mediaRange, parameters, _ := strings.Cut(element, ";")
			narrow := narrowness(strings.TrimSpace(mediaRange), mediaType, kind)
			if narrow == 0 || narrow < narrowest {
				continue
			}
			q, ok := weightOf(parameters)
			if ok && (narrow > narrowest || q > best.Weight) {
				narrowest, best = narrow, Liking{q, narrow == 3}
			}
		}
	}
	return best
}

// narrowness is 3 for the type itself, 2 for its kind, 1 for everything, and 0 for a range that the type is not in.
func narrowness(mediaRange, mediaType, kind string) int {
	switch {
	case strings.EqualFold(mediaRange, mediaType):
		return 3
	case strings.EqualFold(mediaRange, kind+"/*"):
		return 2
	case mediaRange == "*/*":
		return 1
	}
	return 0
}

// weightOf is the weight among the parameters of a range, 1000 where there is none.
func weightOf(parameters string) (thousandths int, ok bool) {
	for parameter := range strings.SplitSeq(parameters, ";") {
		parameter = strings.TrimSpace(parameter)
		if len(parameter) > 1 && parameter[0]|0x20 == 'q' && parameter[1] == '=' {
			return Weight(parameter)
		}
	}
	return 1000, true
}
