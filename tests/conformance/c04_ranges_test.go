package conformance

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"strings"
)

func ranges() []point {
	content := binary(1000) // of /1000.bin
	partial := func(number, title, field string, first, last int) point {
		return point{number: number, title: title, do: func(a *asker) {
			a.get("/1000.bin", "Range: "+field).want(206, is("Content-Range", fmt.Sprintf("bytes %d-%d/1000", first, last)), length(last-first+1), body(content[first:last+1]))
		}}
	}
	unsatisfied := []expectation{is("Content-Range", "bytes */1000"), body("")}
	return []point{
		partial("C4.1", "the first byte", "bytes=0-0", 0, 0),
		partial("C4.2", "some bytes", "bytes=100-200", 100, 200),
		partial("C4.3", "past the end", "bytes=100-100000", 100, 999),
		partial("C4.4", "from a byte on", "bytes=100-", 100, 999),
		partial("C4.5", "the last bytes", "bytes=-100", 900, 999),
		{number: "C4.6", title: "not a range", do: func(a *asker) {
			for _, field := range []string{"bytes=100-10", "bytes=xyx-abc", "bytes="} {
				a.get("/1000.bin", "Range: "+field).want(416, unsatisfied...)
			}
		}},
		partial("C4.7", "more last bytes than there are", "bytes=-1001", 0, 999),
		partial("C4.8", "up to the length", "bytes=100-1000", 100, 999),
		{number: "C4.9", title: "behind the end", do: func(a *asker) { a.get("/1000.bin", "Range: bytes=5000-").want(416, unsatisfied...) }},
		{number: "C4.10", title: "unknown unit", do: func(a *asker) { a.get("/1000.bin", "Range: pages=1-2").want(200, no("Content-Range"), body(content)) }},
		partial("C4.11", "the whole as a range", "bytes=0-", 0, 999),
		{number: "C4.12", title: "several ranges", do: func(a *asker) {
			a.get("/1000.bin", "Range: bytes=0-0,5-9").want(206, no("Content-Range"), parted(content, [][2]int{{0, 0}, {5, 9}}))
			a.get("/1000.bin", "Range: bytes=0-10,5-19,500-509").want(206, parted(content, [][2]int{{0, 19}, {500, 509}}))
			a.get("/1000.bin", "Range: bytes="+strings.TrimSuffix(strings.Repeat("0-,", 400), ",")).want(200, no("Content-Range"), body(content))
		}},
		{number: "C4.13", title: "HEAD ignores Range", do: func(a *asker) {
			a.head("/1000.bin", "Range: bytes=0-0").want(200, no("Content-Range"), length(1000), body(""))
		}},
		{number: "C3.10a", title: "If-Range with the date", do: func(a *asker) {
			get := a.get("/1000.bin")
			a.get("/1000.bin", "Range: bytes=0-1", "If-Range: "+get.field("Last-Modified")).want(206, body(content[:2]))
		}},
	}
}

// parted expects multipart/byteranges with these parts of content (RFC 9110 §15.3.7.2).
func parted(content string, parts [][2]int) expectation {
	return func(r *reply) (string, string, bool) {
		var expected, got []string
		holds := true
		for _, p := range parts {
			expected = append(expected, fmt.Sprintf("bytes %d-%d/%d", p[0], p[1], len(content)))
		}
		kind, parameters, _ := mime.ParseMediaType(r.field("Content-Type"))
		for reader := multipart.NewReader(bytes.NewReader(r.body), parameters["boundary"]); ; {
			part, err := reader.NextPart()
			if err == io.EOF {
				break
			}
			if err != nil {
				return "multipart/byteranges " + strings.Join(expected, ", "), fmt.Sprintf("%s %v: %v", kind, got, err), false
			}
			text, _ := io.ReadAll(part)
			if n := len(got); n < len(parts) {
				holds = holds && string(text) == content[parts[n][0]:parts[n][1]+1]
			}
			got = append(got, part.Header.Get("Content-Range"))
		}
		return "multipart/byteranges " + strings.Join(expected, ", "), kind + " " + strings.Join(got, ", "),
			holds && kind == "multipart/byteranges" && strings.Join(got, ", ") == strings.Join(expected, ", ")
	}
}
