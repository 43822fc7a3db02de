package reply

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
)

// answer is a handler's, made by chance.
type answer struct {
	header http.Header
	status int // 0: WriteHeader is not called
	writes [][]byte
	late   bool // the header changes once it is written
}

func (a *answer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	if !a.late {
		Mark(w, nil)
	}
	if a.status != 0 {
		w.WriteHeader(a.status)
		if a.late {
			w.Header().Set("X-Late", "x")
			w.Header().Del("Content-Type")
		}
	}
	for i, b := range a.writes {
		if i%2 == 0 {
			w.Write(b)
		} else {
			io.WriteString(w, string(b))
		}
	}
}

func (a *answer) String() string {
	var sizes []int
	for _, b := range a.writes {
		sizes = append(sizes, len(b))
	}
	return fmt.Sprintf("status %d, %v, writes of %v bytes, late %t", a.status, a.header, sizes, a.late)
}

// size is the length of all writes.
func (a *answer) size() (n int) {
	for _, b := range a.writes {
		n += len(b)
	}
	return n
}

// anyAnswer makes one.
func anyAnswer(random *rand.Rand) *answer {
	pick := func(of ...string) string { return of[random.IntN(len(of))] }
	a := &answer{header: http.Header{}, late: random.IntN(8) == 0}
	a.status = []int{0, 200, 200, 200, 301, 304, 308, 404, 204, 500, 599, 299, 410}[random.IntN(13)]
	length := []int{0, 1, 10, 511, 512, 600, 2047, 2048, 2049, 4095, 4096, 4097, 5000}[random.IntN(13)]
	text := []byte(pick("<!doctype html><p>", "plain text ", "\x00\x01\x02", "%PDF-1.4", `{"a": 1}`, "\x89PNG\r\n\x1a\n"))
	body := bytes.Repeat(text, length/len(text)+1)[:length]
	for at := 0; at < len(body); {
		n := min(len(body)-at, 1+random.IntN(2500))
		a.writes = append(a.writes, body[at:at+n])
		at += n
	}
	for range random.IntN(6) {
		name := pick("Vary", "Etag", "Cache-Control", "X-Frame-Options", "Link", "x-lower", "Last-Modified", "Accept-Ranges", "X-Long", "bad name", "X-Ä", "Server", "Location", "X:Y", "Keep-Alive", "")
		value := pick("", "a", `"tag"`, "  spaces\t", "two\nlines", "carriage\rreturn", "\r\n", "tab\tinside", "ünïcode", "del\x7f", strings.Repeat("long ", 60), "max-age=3600", "a\x00b")
		a.header[name] = append(a.header[name], value)
	}
	switch random.IntN(4) {
	case 0:
		a.header["Content-Type"] = []string{pick("text/html", "", "image/png")}
	case 1:
		a.header["Content-Encoding"] = []string{pick("gzip", "")}
	case 2:
		if random.IntN(4) == 0 {
			a.header["Content-Type"] = nil
		}
	}
	if random.IntN(2) == 0 {
		a.header["Content-Length"] = []string{strconv.Itoa(length)}
	}
	if random.IntN(16) == 0 {
		a.header["Date"] = []string{"Thu, 01 Jan 2026 00:00:00 GMT"}
	}
	if random.IntN(16) == 0 {
		a.header["Connection"] = []string{pick("close", "keep-alive", "x, close", "Close")}
	}
	return a
}
