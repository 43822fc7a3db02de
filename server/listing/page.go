package listing

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"strconv"
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

// appendAncestors appends links to the folders above, if there are more than the one that the first row leads to.
func (v *view) appendAncestors(b []byte) []byte {
	if len(v.ascended) < 2 {
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
