package listing

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// query is what a request asks for behind the question mark.
type query struct {
	order   uint8
	sorted  bool   // order is from the query
	search  string // what names must contain; empty: anything
	archive string // the format to download in; empty: a listing
}

// The parameters of a query.
const (
	sortKey     = "sort"
	searchKey   = "search"
	downloadKey = "download"
)

// parse reads the first order that is a number, the first search and the first download. What is not offered is not there.
func parse(values url.Values, o Options) query {
	q := query{order: o.Order, search: strings.TrimSpace(values.Get(searchKey))}
	for _, text := range values[sortKey] {
		if n, err := strconv.ParseUint(text, 10, 8); err == nil {
			q.order, q.sorted = uint8(n), true
			break
		}
	}
	if values.Has(downloadKey) && len(o.Archives) > 0 {
		q.archive = values.Get(downloadKey)
		if q.archive == "" {
			q.archive = usualArchive(o.Archives)
		}
		if !slices.Contains(o.Archives, q.archive) {
			q.archive = ""
		}
	}
	return q
}

// usualArchive is what a bare ?download gets: targz, as from static-web-server, or else the first.
func usualArchive(offered []string) string {
	if slices.Contains(offered, targz) {
		return targz
	}
	return offered[0]
}

// link is the query that asks for this order and search.
func (q query) link(order uint8) string {
	link := "?" + sortKey + "=" + strconv.Itoa(int(order))
	if q.search != "" {
		link += "&" + searchKey + "=" + url.QueryEscape(q.search)
	}
	return link
}

// everything is the query that asks for the same without the search.
func (q query) everything() string {
	if !q.sorted {
		return "?"
	}
	return query{}.link(q.order)
}
