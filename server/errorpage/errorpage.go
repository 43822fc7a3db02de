// Package errorpage answers requests with an HTML page that says what went wrong: a page of the site, or a small generic one.
package errorpage

import (
	"io"
	"net/http"
	"strconv"
	"strings"
)

// Write answers r with a complete HTML page for status, an error of RFC 9110 §15 (400 to 599).
// Headers that described the file which is not sent after all are removed; Allow, Retry-After and
// the like stay as the caller set them. HEAD gets the same header and no body. Nothing is returned:
// a client that went away needs no answer.
func Write(w http.ResponseWriter, r *http.Request, status int) {
	write(w, r, status, "text/html; charset=utf-8", generic(status))
}

// write sends a body that is not the resource which was asked for. Accept-Ranges is about that one, and static-web-server
// sends it with each error too.
func write(w http.ResponseWriter, r *http.Request, status int, contentType, body string) {
	header := w.Header()
	for _, name := range []string{"Content-Encoding", "Etag", "Last-Modified", "Repr-Digest"} {
		header.Del(name)
	}
	if status != http.StatusRequestedRangeNotSatisfiable { // there it tells the size (RFC 9110 §14.4)
		header.Del("Content-Range")
	}
	header.Set("Accept-Ranges", "bytes")
	header.Set("Content-Type", contentType)
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("Cache-Control", "no-cache")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		io.WriteString(w, body)
	}
}

// generic is the document for status. It has neither style nor script, so that it looks the same
// under any Content-Security-Policy; color-scheme alone makes it dark where the reader's screen is.
func generic(status int) string {
	title := strings.TrimSpace(strconv.Itoa(status) + " " + http.StatusText(status))
	text := ""
	if s := explanation(status); s != "" {
		text = "<p>" + s + "</p>\n"
	}
	return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>` + title + `</title>
</head>
<body>
<h1>` + title + `</h1>
` + text + `</body>
</html>
`
}

// explanation is one sentence of HTML for the person who sees the page, or nothing where the
// status says it all.
func explanation(status int) string {
	switch status {
	case http.StatusBadRequest:
		return "The server did not understand this request."
	case http.StatusUnauthorized:
		return "This page needs a user name and a password."
	case http.StatusForbidden:
		return "The server may not show this page."
	case http.StatusNotFound:
		return "There is no page at this address."
	case http.StatusMethodNotAllowed:
		return "This address can be read but not written to."
	case http.StatusRequestTimeout:
		return "The request took too long to arrive."
	case http.StatusRequestEntityTooLarge:
		return "The request is larger than the server accepts."
	case http.StatusRequestURITooLong:
		return "The address is longer than the server accepts."
	case http.StatusRequestedRangeNotSatisfiable:
		return "The file does not have the part that was asked for."
	case http.StatusMisdirectedRequest:
		return "This server does not answer for that host name."
	case http.StatusTooManyRequests:
		return "Too many requests came from here: please wait a moment and try again."
	case http.StatusRequestHeaderFieldsTooLarge:
		return "The header of the request is larger than the server accepts."
	case http.StatusInternalServerError:
		return "Something went wrong on the server."
	case http.StatusServiceUnavailable:
		return "The server is busy: please try again in a moment."
	}
	return ""
}
