package files

import (
	"math"
	"net/http"
	"strconv"
	"strings"
)

// Requests for more parts than this, or so many ranges, get the whole file: each part costs its
// own header, and a client in its right mind asks for a few.
const (
	maxParts  = 64
	maxRanges = 256
)

// byteRange is the bytes from first to last, both included.
type byteRange struct{ first, last int64 }

// byteRanges returns r with a Range field that http.ServeContent answers as RFC 9110 §14.2 has it:
// none where it is to be ignored (HEAD, other units, an empty file, unreasonable sets), ranges that
// overlap or touch joined, and one beyond the end where nothing can be sent (416). By itself
// ServeContent refuses other units, minds the case of "bytes", joins nothing, takes "bytes=" for no
// range, and answers a last 0 bytes with 206. r is not changed.
func byteRanges(r *http.Request, size int64) *http.Request {
	field := r.Header.Get("Range")
	if field == "" {
		return r
	}
	changed := *r
	changed.Header = r.Header.Clone()
	changed.Header.Del("Range")
	unit, set, _ := strings.Cut(field, "=")
	if r.Method != http.MethodGet || size == 0 || !strings.EqualFold(unit, "bytes") || strings.Count(set, ",") >= maxRanges {
		return &changed
	}
	ranges, ok := parseRanges(set, size)
	switch {
	case !ok || len(ranges) == 0:
		changed.Header.Set("Range", "bytes="+strconv.FormatInt(size, 10)+"-")
	case len(ranges) <= maxParts:
		changed.Header.Set("Range", formatRanges(ranges))
	}
	return &changed
}

// parseRanges returns the parts of a file of the given size that a range-set asks for, in its
// order, without those beyond the end. It is false if one of them is not spelled as RFC 9110
// §14.1.2 says.
func parseRanges(set string, size int64) ([]byteRange, bool) {
	var ranges []byteRange
	for spec := range strings.SplitSeq(set, ",") {
		spec = strings.Trim(spec, " \t")
		if spec == "" { // lists may have empty elements, RFC 9110 §5.6.1.2
			continue
		}
		from, to, ok := strings.Cut(spec, "-")
		if !ok {
			return nil, false
		}
		b := byteRange{last: size - 1}
		switch {
		case from == "":
			suffix, ok := parsePosition(to)
			if !ok {
				return nil, false
			}
			b.first = max(size-suffix, 0)
		case to == "":
			if b.first, ok = parsePosition(from); !ok {
				return nil, false
			}
		default:
			first, ok1 := parsePosition(from)
			last, ok2 := parsePosition(to)
			if !ok1 || !ok2 || first > last {
				return nil, false
			}
			b = byteRange{first, min(last, size-1)}
		}
		if b.first < size {
			ranges = join(ranges, b)
		}
	}
	return ranges, true
}

// parsePosition reads 1*DIGIT. What does not fit is larger than any file.
func parsePosition(digits string) (int64, bool) {
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return math.MaxInt64, true
	}
	return n, true
}

// join adds b to ranges, or to the first of them that it overlaps or touches, and so on for what
// that one then meets.
func join(ranges []byteRange, b byteRange) []byteRange {
	at := -1
	kept := ranges[:0]
	for _, other := range ranges {
		switch {
		case other.first > b.last+1 || b.first > other.last+1:
			kept = append(kept, other)
		case at < 0:
			at = len(kept)
			b = byteRange{min(b.first, other.first), max(b.last, other.last)}
			kept = append(kept, b)
		default:
			b = byteRange{min(b.first, other.first), max(b.last, other.last)}
		}
	}
	if at < 0 {
		return append(kept, b)
	}
	kept[at] = b
	return kept
}

func formatRanges(ranges []byteRange) string {
	field := []byte("bytes=")
	for i, b := range ranges {
		if i > 0 {
			field = append(field, ',')
		}
		field = strconv.AppendInt(field, b.first, 10)
		field = append(field, '-')
		field = strconv.AppendInt(field, b.last, 10)
	}
	return string(field)
}
