package route

// Cell is one combination of what a route asks for.
type Cell struct {
	Route              *Route
	Index              int // of the route: the least that matches wins
	Local, Client      Prefix
	Ports, ClientPorts Ports

	// Exact tells that every connection with these addresses and ports matches the route. Otherwise Find has to decide, as
	// the route also asks for a name or ALPN, or has lists that would make too many cells.
	Exact bool
}

// mostCells bounds the cells of a listener.
const mostCells = 100_000

// Cells are what the routes ask for of what comes by a listener over tcp or udp, in their order, up to the first that takes
// everything.
func (t *Table) Cells(listener, protocol string) []Cell {
	var list []Cell
	for i := range t.rules {
		r := &t.rules[i]
		if r.never(listener, protocol) {
			continue
		}
		list = append(list, r.product(i, !r.asks() || protocol == "udp", mostCells-len(list))...)
		if r.takesAll(protocol) {
			break
		}
	}
	return list
}

// product combines the lists of one rule; those that would make more cells than there is room for are left out. exact is
// whether nothing else decides.
func (r *rule) product(index int, exact bool, room int) []Cell {
	cells := []Cell{{r.Route, index, everywhere(), everywhere(), everyPort(), everyPort(), exact}}
	combine := func(length int, put func(c *Cell, i int)) {
		if length == 0 {
			return
		}
		if len(cells)*length > room {
			for i := range cells {
				cells[i].Exact = false
			}
			return
		}
		next := make([]Cell, 0, len(cells)*length)
		for _, c := range cells {
			for i := range length {
				put(&c, i)
				next = append(next, c)
			}
		}
		cells = next
	}
	combine(len(r.local.list), func(c *Cell, i int) { c.Local = r.local.list[i] })
	combine(len(r.client.list), func(c *Cell, i int) { c.Client = r.client.list[i] })
	combine(len(r.ports), func(c *Cell, i int) { c.Ports = r.ports[i] })
	combine(len(r.clientPorts), func(c *Cell, i int) { c.ClientPorts = r.clientPorts[i] })
	return cells
}
