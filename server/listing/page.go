package listing

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"github.com/rouse-server/rouse/server/tree"
)

//go:embed listing.css
var styleSheet string

//go:embed listing.js
var script string

// The icon keeps browsers from asking for /favicon.ico.
const icon = `data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cpath fill='%236b73c9' d='M1.5 3h4.3l1.6 2h7.1v8.5h-13z'/%3E%3C/svg%3E`

// assets are the parts that all pages share.
type assets struct {
	style, script string // elements
	policy        string // the Content-Security-Policy under which the page works
}

// newAssets makes a policy that allows this style, this script, images in the page itself and its form; nothing else.
func newAssets() assets {
	return assets{
		style:  "<style>" + styleSheet + "</style>\n",
		script: "<script>" + script + "</script>\n",
		policy: "default-src 'none'; style-src " + source(styleSheet) + "; script-src " + source(script) +
			"; img-src data:; base-uri 'none'; form-action 'self'",
	}
}

// source allows the content of an element by its hash (CSP3 §6.7.3.3).
func source(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// view is what a page shows.
type view struct {
	query
	path               string // the folder's, as the client knows it
	prefix             []byte // of the links to what is in it: empty, or "folder/" when path has no slash at its end
	rows               []row
	folders, files     int // in the whole folder
	segments, ascended []string
}

func newView(path string, entries []tree.Entry, q query) *view {
	if path == "" {
		path = "/"
	}
	v := &view{query: q, path: path, rows: choose(entries, q)}
	if i := strings.LastIndexByte(path, '/'); i < len(path)-1 {
		v.prefix = append(appendEscaped(nil, path[i+1:]), '/')
	}
	for i := range entries {
		if entries[i].Directory {
			v.folders++
		} else {
			v.files++
		}
	}
	v.climb()
	return v
}

// climb finds the names of the folders above, outermost first, and the links to them.
func (v *view) climb() {
	segments := strings.Split(strings.TrimPrefix(v.path, "/"), "/")
	up := "./"
	if segments[len(segments)-1] == "" { // relative to the folder itself, else to the one above
		segments = segments[:len(segments)-1]
		up = "../"
	}
	v.ascended = make([]string, len(segments))
	v.segments = make([]string, len(segments))
	for i := len(segments) - 1; i >= 0; i-- {
		v.ascended[i] = up
		if i > 0 {
			v.segments[i] = segments[i-1]
		}
		if up == "./" {
			up = ""
		}
		up += "../"
	}
}

// writePage writes the page of a folder.
func (l *Listing) writePage(b *body, v *view) {
	b.b = append(b.b, `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Index of `...)
	b.b = appendHTML(b.b, v.path)
	b.b = append(b.b, "</title>\n<link rel=\"icon\" href=\""+icon+"\">\n"...)
	b.b = append(b.b, l.assets.style...)
	b.b = append(b.b, "</head>\n<body>\n<header>\n"...)
	b.b = v.appendAncestors(b.b)
	b.b = append(b.b, "<h1>Index of "...)
	b.b = appendHTML(b.b, v.path)
	b.b = append(b.b, "</h1>\n<p class=\"facts\"><span>directories: "+strconv.Itoa(v.folders)+", files: "+strconv.Itoa(v.files)+"</span>"...)
	b.b = l.appendDownloads(b.b)
	b.b = append(b.b, "</p>\n"...)
	b.b = v.appendSearch(b.b)
	b.b = append(b.b, "</header>\n<main>\n"...)
	b.b = v.appendHead(b.b)
	v.writeRows(b)
	b.b = append(b.b, "</tbody>\n</table>\n"...)
	if len(v.rows) == 0 && v.search == "" {
		b.b = append(b.b, "<p class=\"empty\">This folder is empty.</p>\n"...)
	}
	b.b = append(b.b, "</main>\n"...)
	b.b = append(b.b, l.assets.script...)
	b.b = append(b.b, "</body>\n</html>\n"...)
}

// appendAncestors appends links to the folders above.
func (v *view) appendAncestors(b []byte) []byte {
	if len(v.ascended) == 0 {
		return b
	}
	b = append(b, `<nav aria-label="Folders above">`...)
	for i, link := range v.ascended {
		if i > 0 && v.segments[i] == "" {
			continue // an empty segment, as in //
		}
		b = append(append(append(b, `<a href="`...), link...), `">`...)
		b = append(appendHTML(b, v.segments[i]), "/</a>"...)
	}
	return append(b, "</nav>\n"...)
}

// appendDownloads appends a link for each archive.
func (l *Listing) appendDownloads(b []byte) []byte {
	for _, name := range l.options.Archives {
		value := "=" + name
		if name == targz { // as static-web-server has it
			value = ""
		}
		b = append(b, ` <a class="download" href="?`+downloadKey+value+`" rel="nofollow">download `+extension(name)+`</a>`...)
	}
	return b
}

// appendSearch appends the form that asks for the names with a text in them, and says what it found.
func (v *view) appendSearch(b []byte) []byte {
	b = append(b, `<form role="search"><label for="search">Search this folder</label><input type="search" id="search" name="search"`+
		` placeholder="Search" autocomplete="off" autocapitalize="none" spellcheck="false" enterkeyhint="search" aria-keyshortcuts="/" value="`...)
	b = appendHTML(b, v.search)
	b = append(b, `"><kbd aria-hidden="true">/</kbd>`...)
	if v.sorted {
		b = append(b, `<input type="hidden" name="sort" value="`+strconv.Itoa(int(v.order))+`">`...)
	}
	b = append(b, `<button>Search</button></form>`+"\n"+`<p class="found"><span id="found" role="status">`...)
	if v.search == "" {
		return append(b, "</span></p>\n"...)
	}
	b = append(b, strconv.Itoa(len(v.rows))+" of "+strconv.Itoa(v.folders+v.files)+" match "...)
	b = appendHTML(b, "“"+v.search+"”")
	return append(b, `</span> <a href="`+v.everything()+`">show all</a></p>`+"\n"...)
}

// A table with more rows than many comes in parts of so many rows. Chromium lays out only those on the screen then, and has
// the page of 100,000 rows after seconds in place of a minute. The style sheet and the script know a part's usual height.
const (
	many = 2000
	part = 200
)

// appendHead appends the beginning of the table with the columns' heads, which are links to other orders: ascending first, descending from there.
func (v *view) appendHead(b []byte) []byte {
	if len(v.rows) > many {
		b = append(b, "<table class=\"long\">\n"...)
	} else {
		b = append(b, "<table>\n"...)
	}
	b = append(b, "<thead>\n<tr>"...)
	for _, column := range []struct {
		order uint8
		title string
	}{{byName, "Name"}, {byTime, "Last modified"}, {bySize, "Size"}} {
		next, state := column.order, ""
		switch v.order {
		case column.order:
			next, state = column.order+1, ` aria-sort="ascending"`
		case column.order + 1:
			state = ` aria-sort="descending"`
		}
		b = append(b, `<th scope="col"`+state+`><a href="`...)
		b = append(appendHTML(b, v.link(next)), `">`+column.title+"</a></th>"...)
	}
	return append(b, "</tr>\n</thead>\n<tbody>\n"...)
}

func (v *view) writeRows(b *body) {
	if n := len(v.ascended); n > 0 {
		b.b = append(b.b, `<tr class="up"><th scope="row"><a href="`+v.ascended[n-1]+`">../</a></th><td></td><td></td></tr>`+"\n"...)
	}
	for i, entry := range v.rows {
		if i > 0 && i%part == 0 && len(v.rows) > many {
			b.b = append(b.b, "</tbody>\n<tbody>\n"...)
		}
		b.b = v.appendRow(b.b, entry)
		if !b.room() {
			return
		}
	}
}

// appendRow appends an entry; its time is the server's local one.
func (v *view) appendRow(b []byte, entry row) []byte {
	slash := ""
	if entry.Directory {
		slash = "/"
	}
	b = append(b, `<tr><th scope="row"><a href="`...)
	b = append(b, v.prefix...)
	b = appendEscaped(b, entry.Name)
	b = append(append(b, slash...), `">`...)
	b = appendHTML(b, entry.Name)
	b = append(append(b, slash...), "</a></th><td>"...)
	if entry.Modified.IsZero() {
		b = append(b, '-')
	} else {
		b = entry.Modified.Local().AppendFormat(b, time.DateTime)
	}
	b = append(b, "</td><td>"...)
	if entry.Directory {
		b = append(b, '-')
	} else {
		b = appendSize(b, entry.Size)
	}
	return append(b, "</td></tr>\n"...)
}
