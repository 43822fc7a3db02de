package route

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// mostLookups is how many lists socketbox looks into for one connection.
const mostLookups = 100

// readDirectives reads the file of socketbox, whose directives are rule lists and maps that jump to each other. The routes that
// it returns decide as they do: the first entry of rule-set:0 that matches, whatever it jumps to. Lists grow as they need to,
// whatever size: says. The file names no listeners; clients may come by any. What is wrong with it is added to p.
func readDirectives(file string, text []byte, p *problems) Config {
	d := &directives{problems: p, c: Config{File: file}, at: Position{File: file}, lists: map[listName]*directiveList{}, limits: map[string]int{}}
	for i, line := range strings.Split(string(text), "\n") {
		d.at.Line = i + 1
		d.readLine(line)
	}
	if first := d.resolve(); first != nil && len(p.list) == 0 {
		routes, notices := unfold(first, mostLookups, p)
		d.c.Routes, d.c.Notices = routes, append(d.c.Notices, notices...)
	}
	return d.c
}

// directives is a file that is being read.
type directives struct {
	*problems
	c      Config
	at     Position
	lists  map[listName]*directiveList
	order  []*directiveList
	limits map[string]int // of rule and map: how many lists there are

	selected  *directiveList // that is selected; nil at first
	inDefault bool           // what follows is the list's default action
	entry     *directive     // what the line began
}

// listName is how a list is called: rule or map, and its number.
type listName struct {
	kind  string
	index int
}

func (n listName) String() string { return fmt.Sprintf("%s-set:%d", n.kind, n.index) }

type directiveList struct {
	name    listName
	at      Position
	sized   bool
	compare map[string][16]byte // of a map: what is compared, by the directive that says so
	entries []*directive
	rest    *directive
}

// directive is an entry, or a default.
type directive struct {
	at     Position
	masks  map[string]mask // by ip and rip
	ports  map[string]uint16
	action string // the token; empty: there is none
	target string // of it: a backend
	next   *listName
}

// readLine reads the tokens of a line. Only the first one may have tabs around it.
func (d *directives) readLine(line string) {
	if line == "" || line[0] == '#' {
		return
	}
	if line[len(line)-1] == '\r' {
		d.fail("\r", "the line ends with a carriage return; save the file with line feeds alone")
		return
	}
	d.entry = nil
	rest := strings.TrimLeft(line, " \t")
	first := true
	for rest != "" {
		cut := " "
		if first {
			cut = " \t"
		}
		token := rest
		if end := strings.IndexAny(rest, cut); end >= 0 {
			token, rest = rest[:end], strings.TrimLeft(rest[end+1:], cut)
		} else {
			rest = ""
		}
		if token != "" && !d.readToken(token) {
			break
		}
		first = false
	}
	if d.entry != nil && d.entry.action == "" {
		d.notice("", "no action: such connections are rejected")
	}
}

// readToken returns whether the rest of the line is worth reading.
func (d *directives) readToken(token string) bool {
	if strings.ContainsAny(token, "\t\x00") {
		return d.fail(token, "only spaces separate here; write no tab")
	}
	name, value, has := strings.Cut(token, ":")
	var err error
	switch name {
	case "default", "fail", "match-lport", "match-rport":
		if has {
			return d.fail(token, "%s has no value; leave the colon out", name)
		}
	case "ip", "rip", "port", "rport", "size", "max-rules", "max-maps", "rule-set", "map-set", "match-lip", "match-rip",
		"jump-unix", "jump-fd", "jump-rule", "jump-map":
		if value == "" {
			return d.fail(token, "%s needs a value behind a colon", name)
		}
	default:
		if strings.HasPrefix(token, "#") {
			return d.fail(token, "comments begin in the first column")
		}
		return d.fail(token, "no such directive%s", similar(name, directiveNames()))
	}
	switch name {
	case "max-rules", "max-maps":
		err = d.limit(strings.TrimSuffix(strings.TrimPrefix(name, "max-"), "s"), value)
	case "rule-set", "map-set":
		err = d.choose(strings.TrimSuffix(name, "-set"), value)
	default:
		if d.selected == nil {
			return d.fail(token, "no list is selected; write rule-set:0 before it")
		}
		err = d.readInList(name, value)
	}
	if err != nil {
		return d.fail(token, "%v", err)
	}
	return true
}

func directiveNames() []string {
	return []string{"max-rules", "max-maps", "rule-set", "map-set", "size", "ip", "rip", "port", "rport", "match-lip", "match-rip", "match-lport",
		"match-rport", "jump-unix", "jump-fd", "jump-rule", "jump-map", "fail", "default"}
}

func (d *directives) readInList(name, value string) error {
	switch name {
	case "size":
		return d.size(value)
	case "default":
		return d.otherwise()
	case "match-lip", "match-rip", "match-lport", "match-rport":
		return d.compared(name, value)
	case "ip", "rip":
		return d.address(name, value)
	case "port", "rport":
		return d.port(name, value)
	}
	return d.act(name, value)
}

// limit reads max-rules and max-maps.
func (d *directives) limit(kind, value string) error {
	n, err := readNumber(value, 1)
	if err == nil && d.limits[kind] != 0 {
		err = fmt.Errorf("it was %d before; write it once", d.limits[kind])
	}
	if err == nil {
		d.limits[kind] = n
	}
	return err
}

// readNumber reads one from least to a million.
func readNumber(text string, least int) (int, error) {
	const most = 1_000_000
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || int(n) < least || n > most {
		return 0, fmt.Errorf("%s is no number from %d to %d", shown(text), least, most)
	}
	return int(n), nil
}

// choose reads rule-set and map-set. After an error what follows goes to a list that nobody sees.
func (d *directives) choose(kind, value string) error {
	if d.entry != nil {
		return fmt.Errorf("the line has an entry already; write it on a line of its own")
	}
	d.selected, d.inDefault = &directiveList{at: d.at, name: listName{kind, -1}, compare: map[string][16]byte{}}, false
	n, err := readNumber(value, 0)
	if err != nil {
		return err
	}
	if err := d.within(listName{kind, n}); err != nil {
		return err
	}
	d.selected.name.index = n
	if known := d.lists[d.selected.name]; known != nil {
		d.selected = known
		return nil
	}
	d.lists[d.selected.name] = d.selected
	d.order = append(d.order, d.selected)
	return nil
}

// within tells whether there is a list of this number.
func (d *directives) within(name listName) error {
	switch most := d.limits[name.kind]; {
	case most == 0:
		return fmt.Errorf("max-%ss has to come first, and say how many there are", name.kind)
	case name.index >= most:
		return fmt.Errorf("max-%ss:%d says that their numbers go from 0 to %d", name.kind, most, most-1)
	}
	return nil
}

func (d *directives) size(value string) error {
	if d.selected.sized {
		return fmt.Errorf("the list has a size already; write it once")
	}
	d.selected.sized = true
	_, err := readNumber(value, 1)
	return err
}

// otherwise reads default: the action behind it is that of the list.
func (d *directives) otherwise() error {
	if d.entry != nil || d.inDefault {
		return fmt.Errorf("it stands on a line of its own, before the default action")
	}
	d.inDefault = true
	return nil
}

// compared reads the directives that say what a map compares.
func (d *directives) compared(name, value string) error {
	if d.selected.name.kind != "map" {
		return fmt.Errorf("only maps have it; here ip:ADDRESS/LENGTH says it")
	}
	if _, twice := d.selected.compare[name]; twice {
		return fmt.Errorf("the map has it already; write it once")
	}
	bits := 128
	if value != "" {
		n, err := strconv.ParseUint(value, 10, 8)
		if err != nil || n > 128 {
			return fmt.Errorf("%s is no length of a prefix; write a number from 0 to 128", shown(value))
		}
		bits = int(n)
	}
	d.selected.compare[name] = leading(bits)
	return nil
}

// begin returns the entry of the line.
func (d *directives) begin() (*directive, error) {
	if d.inDefault {
		return nil, fmt.Errorf("no entries may follow default; write them before it")
	}
	if d.entry == nil {
		d.entry = &directive{at: d.at, masks: map[string]mask{}, ports: map[string]uint16{}}
		d.selected.entries = append(d.selected.entries, d.entry)
	}
	return d.entry, nil
}

func (d *directives) address(name, value string) error {
	e, err := d.begin()
	if err != nil {
		return err
	}
	if _, twice := e.masks[name]; twice {
		return fmt.Errorf("the entry has %s: already; write a line for each", name)
	}
	text, length, masked := strings.Cut(value, "/")
	if masked && d.selected.name.kind == "map" {
		return fmt.Errorf("in a map match-lip and match-rip say how much is compared; leave /%s out", shown(length))
	}
	bits := leading(128)
	if masked {
		if bits, err = readMask(length); err != nil {
			return err
		}
	}
	address, err := readIPv6(text)
	if err == nil {
		e.masks[name] = newMask(address, bits)
	}
	return err
}

// readMask reads the length of a prefix, or a mask that is written as an address.
func readMask(text string) ([16]byte, error) {
	if strings.Contains(text, ":") {
		return readIPv6(text)
	}
	n, err := strconv.ParseUint(text, 10, 8)
	if err != nil || n > 128 {
		return [16]byte{}, fmt.Errorf("/%s is no mask; write a length from 0 to 128, or bits such as /ffff:ffff::", shown(text))
	}
	return leading(int(n)), nil
}

func (d *directives) port(name, value string) error {
	e, err := d.begin()
	if err != nil {
		return err
	}
	if _, twice := e.ports[name]; twice {
		return fmt.Errorf("the entry has %s: already; write a line for each", name)
	}
	e.ports[name], err = readPort(value)
	return err
}

// act reads what is done with a connection.
func (d *directives) act(name, value string) (err error) {
	e := d.selected.rest
	if !d.inDefault {
		if e, err = d.begin(); err != nil {
			return err
		}
	} else if e == nil {
		e = &directive{at: d.at}
		d.selected.rest = e
	}
	if e.action != "" {
		return fmt.Errorf("%s is said already; write one action", shown(e.action))
	}
	e.action = name
	switch name {
	case "jump-unix":
		e.target, err = d.path(value)
	case "jump-fd":
		e.target, err = d.carrier(value)
	case "jump-rule", "jump-map":
		e.next = &listName{kind: strings.TrimPrefix(name, "jump-")}
		e.next.index, err = readNumber(value, 0)
	}
	return err
}

// path makes the backend of a socket. socketbox -U puts the numbers of an address where #//0_ … #//7_ and #//P_ first stand.
func (d *directives) path(text string) (string, error) {
	const most = 107 // sun_path of unix(7), and the NUL behind it
	if len(text) > most {
		return "", fmt.Errorf("the path has %d bytes, and a unix socket's at most %d; shorten it", len(text), most)
	}
	if strings.Contains(text, "{") {
		return "", fmt.Errorf("the path would be taken for a pattern; choose one without braces")
	}
	path := strings.Replace(text, "#//P_", "{port}", 1)
	for i := range 8 {
		path = strings.Replace(path, fmt.Sprintf("#//%d_", i), fmt.Sprintf("{local.%d}", i), 1)
	}
	if path[0] == '@' { // no abstract name there
		path = "./" + path
	}
	if path[0] != '/' {
		d.notice("jump-unix:"+text, "the path is looked for in the folder where rouse runs")
	}
	d.backend(Backend{Name: text, Way: Datagrams, Path: path})
	return text, nil
}

func (d *directives) carrier(value string) (string, error) {
	n, err := readNumber(value, 0)
	name := fmt.Sprintf("fd:%d", n)
	if err == nil {
		d.backend(Backend{Name: name, Way: Datagrams, Carrier: n})
	}
	return name, err
}

// backend adds one unless there is one of the name.
func (d *directives) backend(b Backend) {
	if !slices.ContainsFunc(d.c.Backends, func(known Backend) bool { return known.Name == b.Name }) {
		b.At, b.Patience = d.at, usualPatience
		d.c.Backends = append(d.c.Backends, b)
	}
}

// resolve connects the lists, and returns the one with which every lookup begins.
func (d *directives) resolve() *lookup {
	built := map[listName]*lookup{}
	for name, l := range d.lists {
		built[name] = &lookup{name: name.String(), rest: entry{at: l.at, name: defaultOf(name.String())}}
	}
	for _, l := range d.order {
		to := built[l.name]
		if l.name.kind == "map" && len(l.compare) == 0 {
			d.at = l.at
			d.fail(l.name.String(), "the map compares nothing; say by match-lip:128, match-lport and so on what it does")
		}
		for _, e := range l.entries {
			to.entries = append(to.entries, d.finish(l, e, built))
		}
		if l.rest != nil {
			to.rest = d.finish(l, l.rest, built)
			to.rest.name = defaultOf(to.name)
		}
		if l.name.kind == "map" {
			d.same(to)
		}
	}
	return d.first(built)
}

// first finds rule-set:0, and complains of the lists to which no way leads.
func (d *directives) first(built map[listName]*lookup) *lookup {
	first := built[listName{"rule", 0}]
	if first == nil {
		d.at.Line = 0
		d.fail("rule-set:0", "it is missing, and every lookup begins there")
		return nil
	}
	if len(d.problems.list) > 0 {
		return nil
	}
	used := reached(first)
	for _, l := range d.order {
		if !used[built[l.name]] {
			d.at = l.at
			d.fail(l.name.String(), "nothing jumps to it; take it out, or write jump-%s:%d where it is meant", l.name.kind, l.name.index)
		}
	}
	return first
}

// finish makes the entry of a list.
func (d *directives) finish(l *directiveList, e *directive, built map[listName]*lookup) entry {
	done := entry{at: e.at, name: fmt.Sprintf("%s line %d", l.name, e.at.Line), backend: e.target, when: e.demand()}
	d.at = e.at
	if l.name.kind == "map" && l.rest != e {
		done.when = d.compare(l, e)
	}
	if e.next == nil {
		return done
	}
	token := fmt.Sprintf("%s:%d", e.action, e.next.index)
	done.next = built[*e.next]
	if err := d.within(*e.next); err != nil {
		d.fail(token, "there is no such list; %v", err)
	} else if done.next == nil {
		d.fail(token, "there is no such list; begin it with %s", e.next)
	}
	return done
}

func (e *directive) demand() demand {
	port, set := e.ports["port"]
	clientPort, clientSet := e.ports["rport"]
	return demand{local: e.masks["ip"], client: e.masks["rip"], port: onePort{set, port}, clientPort: onePort{clientSet, clientPort}}
}

// compare returns the demand of a map's entry. What it compares and the entry does not have is zero.
func (d *directives) compare(l *directiveList, e *directive) demand {
	var c demand
	for _, name := range []string{"ip", "rip", "port", "rport"} {
		by := map[string]string{"ip": "match-lip", "rip": "match-rip", "port": "match-lport", "rport": "match-rport"}[name]
		_, address := e.masks[name]
		_, port := e.ports[name]
		_, compared := l.compare[by]
		switch {
		case (address || port) && !compared:
			d.notice(name+":", "the map does not compare it; write "+by+" if it should")
		case compared && !address && !port:
			d.notice(by, "the entry has no "+name+":, which is taken for zero")
		}
	}
	c.local = newMask(e.masks["ip"].address, l.compare["match-lip"])
	c.client = newMask(e.masks["rip"].address, l.compare["match-rip"])
	if _, compared := l.compare["match-lport"]; compared {
		c.port = onePort{true, e.ports["port"]}
	}
	if _, compared := l.compare["match-rport"]; compared {
		c.clientPort = onePort{true, e.ports["rport"]}
	}
	return c
}

// same complains of entries of a map that match the same: which one decides would be chance.
func (d *directives) same(l *lookup) {
	before := map[demand]entry{}
	for _, e := range l.entries {
		first, twice := before[e.when]
		if twice && (first.backend != e.backend || first.next != e.next) {
			d.at = e.at
			d.fail(l.name, "the entry matches what that of %s matches; take one of them out", first.name)
		}
		if !twice {
			before[e.when] = e
		}
	}
}

// fail records an error, and returns false.
func (d *directives) fail(token, format string, a ...any) bool {
	d.add(d.at, shown(token), format, a...)
	return false
}

func (d *directives) notice(token, text string) {
	if token != "" {
		token = shown(token) + ": "
	}
	d.c.Notices = append(d.c.Notices, fmt.Sprintf("%s: %s%s", d.at, token, text))
}
