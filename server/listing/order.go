package listing

import (
	"cmp"
	"slices"
	"strings"

	"github.com/rouse-server/rouse/server/tree"
)

// The orders that static-web-server numbers. Descending is one more.
const (
	byName uint8 = 0
	byTime uint8 = 2
	bySize uint8 = 4
)

// row is an entry and its name in lower case.
type row struct {
	*tree.Entry
	folded string
}

// choose returns those of the entries that the query is about, in the order that it asks for. Names are compared without
// regard to case, then byte by byte; the same name decides between equal times and sizes. A folder has no size, which is less
// than none at all.
func choose(entries []tree.Entry, q query) []row {
	rows := make([]row, 0, len(entries))
	wanted := strings.ToLower(q.search)
	for i := range entries {
		folded := strings.ToLower(entries[i].Name)
		if strings.Contains(folded, wanted) {
			rows = append(rows, row{&entries[i], folded})
		}
	}
	compare := comparison(q.order &^ 1)
	if q.order <= bySize+1 && q.order%2 == 1 {
		slices.SortFunc(rows, func(a, b row) int { return cmp.Or(compare(b, a), names(a, b)) })
	} else {
		slices.SortFunc(rows, func(a, b row) int { return cmp.Or(compare(a, b), names(a, b)) })
	}
	return rows
}

func comparison(order uint8) func(a, b row) int {
	switch order {
	case byName:
		return names
	case byTime:
		return func(a, b row) int { return a.Modified.Compare(b.Modified) }
	case bySize:
		return func(a, b row) int { return cmp.Compare(size(a), size(b)) }
	}
	return func(a, b row) int { return kind(a) - kind(b) }
}

func names(a, b row) int { return cmp.Or(cmp.Compare(a.folded, b.folded), cmp.Compare(a.Name, b.Name)) }

func size(a row) int64 {
	if a.Directory {
		return -1
	}
	return a.Size
}

// kind has folders first.
func kind(a row) int {
	if a.Directory {
		return 0
	}
	return 1
}
