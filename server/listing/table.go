package listing

import "time"

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
