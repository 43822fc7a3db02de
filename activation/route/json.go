package route

import (
	"fmt"
	"math"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// mostJSONLookups is how many rules python-socketbox looks into for one connection.
const mostJSONLookups = 99

// readJSON reads the file of python-socketbox: listeners, the sockets where backends register, the slots that they ask for, and
// rule lists and maps that jump to each other. The routes that it returns decide as they do. Keys that python-socketbox passes
// over are passed over, and told of. What is wrong with the file is added to p.
func readJSON(file string, text []byte, p *problems) Config {
	f := &jsonFile{jsonReader: &jsonReader{problems: p, file: file}, c: Config{File: file}, lists: map[string]*lookup{}}
	if root := f.parse(text); root != nil {
		f.read(root)
	}
	f.c.Notices = append(f.c.Notices, f.notices...)
	return f.c
}

// jsonFile is a file that is being read.
type jsonFile struct {
	*jsonReader
	c     Config
	lists map[string]*lookup
	jumps []jsonJump
	order []string
}

// jsonJump is an entry that jumps to a list which may come later in the file.
type jsonJump struct {
	from  *lookup
	index int
	to    *jsonValue
}

func (f *jsonFile) read(root *jsonValue) {
	all := f.object(root, "", "socketbox-version", "daemon", "incoming", "final_netns", "paths", "outgoing", "rules")
	if all == nil {
		return
	}
	version, ok := all["socketbox-version"]
	if !ok {
		f.add(root.at, "socketbox-version", "it is missing, so that this is no file of python-socketbox; write \"socketbox-version\": 1, or rules in TOML")
		return
	}
	if n, ok := f.number(version, "socketbox-version", 1<<31); ok && n != 1 {
		f.add(version.at, "socketbox-version", "it is %d, and only 1 is known; write 1", n)
		return
	}
	f.daemon(all["daemon"])
	namespace := ""
	for i, v := range f.array(all["incoming"], "incoming") {
		namespace = f.incoming(v, i, namespace)
	}
	if v, ok := all["final_netns"]; ok {
		f.notice(v.at, "final_netns", "rouse stays in the namespace where it was started")
	}
	for i, v := range f.array(all["paths"], "paths") {
		f.desk(v, i)
	}
	for i, v := range f.array(all["outgoing"], "outgoing") {
		f.slot(v, i)
	}
	f.rules(root, all["rules"])
}

// daemon reads whom the dispatcher becomes.
func (f *jsonFile) daemon(v *jsonValue) {
	fields := f.object(v, "daemon", "uid", "gid", "groups", "chroot")
	if len(fields) == 0 {
		return
	}
	d := &Identity{User: f.identity(fields["uid"], "daemon.uid", nobody), Group: f.identity(fields["gid"], "daemon.gid", nobody)}
	if v, ok := fields["groups"]; ok {
		d.Groups = []uint32{}
		for i, g := range f.array(v, "daemon.groups") {
			d.Groups = append(d.Groups, f.identity(g, fmt.Sprintf("daemon.groups[%d]", i), nobody))
		}
	}
	if v, ok := fields["chroot"]; ok {
		d.Chroot, _ = f.string(v, "daemon.chroot")
	}
	f.c.Daemon = d
}

// nobody is the number that is never a user's or group's, and stands for "as it is" (chown(2), setresuid(2)).
const nobody = math.MaxUint32

// identity reads the number of a user or group; otherwise is what stands for one that is missing.
func (f *jsonFile) identity(v *jsonValue, name string, otherwise uint32) uint32 {
	if v == nil {
		return otherwise
	}
	n, _ := f.number(v, name, math.MaxUint32-1)
	return uint32(n)
}

// incoming reads a listener. The network namespace of one before it goes on where it names none.
func (f *jsonFile) incoming(v *jsonValue, i int, namespace string) string {
	name := fmt.Sprintf("incoming[%d]", i)
	fields := f.object(v, name, "address", "port", "transparent", "freebind", "reuseaddr", "reuseport", "backlog", "netns", "fd", "listen")
	l := Listener{Name: listenerName(i), At: v.at}
	if number, ok := fields["fd"]; ok {
		n, _ := f.number(number, name+".fd", math.MaxInt32)
		l.Addresses = []string{fmt.Sprintf("fd:%d", n)}
		f.c.Listeners = append(f.c.Listeners, l)
		return namespace
	}
	options := url.Values{}
	if of, ok := fields["netns"]; ok {
		namespace, _ = f.string(of, name+".netns")
	}
	if namespace != "" {
		options.Set("namespace", namespace)
	}
	for _, option := range [][2]string{{"transparent", "transparent"}, {"freebind", "freebind"}, {"reuseport", "reuse-port"}} {
		if f.yes(fields[option[0]], name+"."+option[0], false) {
			options.Set(option[1], "yes")
		}
	}
	l.KeepTransparent = options.Has("transparent")
	if !f.yes(fields["reuseaddr"], name+".reuseaddr", true) {
		f.notice(fields["reuseaddr"].at, name+".reuseaddr", "rouse always sets SO_REUSEADDR, and takes no port that somebody listens on")
	}
	if v, ok := fields["backlog"]; ok {
		n, _ := f.number(v, name+".backlog", math.MaxInt32)
		options.Set("backlog", strconv.FormatUint(max(1, n), 10))
	}
	if at := f.socketAddress(v, fields, name); at.IsValid() {
		l.Addresses = []string{"tcp:" + at.String()}
		if len(options) > 0 {
			l.Addresses[0] += "?" + strings.ReplaceAll(options.Encode(), "%2F", "/")
		}
	}
	f.c.Listeners = append(f.c.Listeners, l)
	return namespace
}

func listenerName(i int) string { return fmt.Sprintf("incoming-%d", i) }

// socketAddress reads where a listener is bound: an IPv6 socket, of which one for mapped addresses has IPv4 clients alone.
func (f *jsonFile) socketAddress(v *jsonValue, fields map[string]*jsonValue, name string) netip.AddrPort {
	address, port := f.want(v, fields, name, "address"), f.want(v, fields, name, "port")
	if address == nil || port == nil {
		return netip.AddrPort{}
	}
	n, _ := f.number(port, name+".port", math.MaxUint16)
	text, ok := f.string(address, name+".address")
	if !ok {
		return netip.AddrPort{}
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() == "" { // an address of one link needs its zone
		var b [16]byte
		if b, err = readIPv6(text); err != nil {
			f.add(address.at, name+".address", "%v", err)
			return netip.AddrPort{}
		}
		a = netip.AddrFrom16(b).Unmap()
	}
	return netip.AddrPortFrom(a, uint16(n))
}

// desk reads a socket where backends register.
func (f *jsonFile) desk(v *jsonValue, i int) {
	name := fmt.Sprintf("paths[%d]", i)
	fields := f.object(v, name, "socket", "mode", "uid", "gid")
	d := Desk{At: v.at, Mode: 0o700, Owner: -1, Group: -1}
	if socket := f.want(v, fields, name, "socket"); socket != nil {
		d.Path, _ = f.string(socket, name+".socket")
	}
	if mode, ok := fields["mode"]; ok {
		text, isText := f.string(mode, name+".mode")
		n, err := strconv.ParseUint(strings.TrimPrefix(text, "0o"), 8, 32)
		if isText && (err != nil || n > 0o7777) {
			f.add(mode.at, name+".mode", "%s is no mode; write it in octal, such as \"0660\"", shown(text))
		}
		d.Mode = uint32(n)
	}
	if uid := f.identity(fields["uid"], name+".uid", nobody); uid != nobody {
		d.Owner = int(uid)
	}
	if gid := f.identity(fields["gid"], name+".gid", nobody); gid != nobody {
		d.Group = int(gid)
	}
	f.c.Desks = append(f.c.Desks, d)
}

// slot reads what one backend may register for.
func (f *jsonFile) slot(v *jsonValue, i int) {
	name := fmt.Sprintf("outgoing[%d]", i)
	fields := f.object(v, name, "uid", "path_nr")
	number := uint32(i)
	b := Backend{Name: slotName(i), At: v.at, Way: Registers, Takes: Either, Slot: &number, Patience: usualPatience}
	if uid := f.want(v, fields, name, "uid"); uid != nil {
		b.Users = []uint32{f.identity(uid, name+".uid", nobody)}
	}
	if path := f.want(v, fields, name, "path_nr"); path != nil {
		n, ok := f.number(path, name+".path_nr", math.MaxInt32)
		switch {
		case ok && n >= uint64(len(f.c.Desks)):
			f.add(path.at, name+".path_nr", "there are %d paths, and no number %d; their numbers begin with 0", len(f.c.Desks), n)
		case ok:
			b.Desk = f.c.Desks[n].Path
		}
	}
	f.c.Backends = append(f.c.Backends, b)
}

func slotName(i int) string { return fmt.Sprintf("slot-%d", i) }

// rules reads the lists and connects them.
func (f *jsonFile) rules(root, v *jsonValue) {
	if v == nil {
		f.add(root.at, "rules", "they are missing; write \"rules\": {\"_start\": …}")
		return
	}
	if f.object(v, "rules", anyKey) == nil {
		return
	}
	for _, field := range v.fields {
		f.list(field.key, field.value)
	}
	for _, j := range f.jumps {
		text := strings.TrimPrefix(j.to.text, "r:")
		if j.from.entries[j.index].next = f.lists[text]; f.lists[text] == nil {
			f.add(j.to.at, "jump", "%s: there is no such list in rules; there are %s", shown(j.to.text), shown(strings.Join(f.order, ", ")))
		}
	}
	first := f.lists["_start"]
	if first == nil {
		f.add(v.at, "rules", "_start is missing, and every lookup begins there")
	}
	if first == nil || len(f.problems.list) > 0 {
		return
	}
	used := reached(first)
	for _, field := range v.fields {
		if !used[f.lists[field.key]] {
			f.add(field.value.at, shown(field.key), "no rule jumps to it; take it out, or write \"jump\": \"r:%s\" where it is meant", shown(field.key))
		}
	}
	routes, notices := unfold(first, mostJSONLookups, f.problems)
	f.c.Routes, f.c.Notices = routes, append(f.c.Notices, notices...)
}

// list reads a rule list, or a map.
func (f *jsonFile) list(key string, v *jsonValue) {
	name := "rules." + shown(key)
	l := &lookup{name: shown(key), rest: entry{at: v.at, name: defaultOf(shown(key))}}
	f.lists[key] = l
	f.order = append(f.order, key)
	fields := f.object(v, name, "type", "mask", "rules")
	kind, rules := f.want(v, fields, name, "type"), f.want(v, fields, name, "rules")
	if kind == nil || rules == nil {
		return
	}
	text, _ := f.string(kind, name+".type")
	switch compared, isMasked := fields["mask"]; {
	case text == "rule":
		if isMasked {
			f.notice(compared.at, name+".mask", "only maps have one; it is passed over")
		}
		for i, r := range f.array(rules, name+".rules") {
			f.entry(l, r, fmt.Sprintf("%s.rules[%d]", name, i), nil)
		}
	case text == "map":
		f.table(l, name, compared, rules)
	default:
		f.add(kind.at, name+".type", "%s is neither rule nor map; write one of them", shown(text))
	}
}

// table reads a map. Where two entries match the same, the later one decides.
func (f *jsonFile) table(l *lookup, name string, compared, rules *jsonValue) {
	by := &demand{local: mask{bits: leading(128)}, port: onePort{set: true}}
	if compared != nil {
		by = &demand{}
		if fields := f.object(compared, name+".mask", matchKeys()...); fields != nil {
			*by = f.demand(compared, fields, name+".mask")
		}
		if *by == (demand{}) {
			f.add(compared.at, name+".mask", "the map compares nothing; write what it does, or leave the mask out for local address and port")
		}
	}
	for i, r := range f.array(rules, name+".rules") {
		f.entry(l, r, fmt.Sprintf("%s.rules[%d]", name, i), by)
		if len(l.entries) == 0 {
			continue
		}
		last := l.entries[len(l.entries)-1]
		same := func(e entry) bool { return e.when == last.when }
		if before := slices.IndexFunc(l.entries, same); before < len(l.entries)-1 {
			f.notice(r.at, fmt.Sprintf("%s.rules[%d]", name, i), "it matches what "+l.entries[before].name+" matches, and is taken instead of it")
			f.replace(l, before)
		}
	}
}

// replace puts the last entry of a list in the place of another.
func (f *jsonFile) replace(l *lookup, index int) {
	last := len(l.entries) - 1
	l.entries[index] = l.entries[last]
	l.entries = l.entries[:last]
	f.jumps = slices.DeleteFunc(f.jumps, func(j jsonJump) bool { return j.from == l && j.index == index })
	for i := range f.jumps {
		if f.jumps[i].from == l && f.jumps[i].index == last {
			f.jumps[i].index = index
		}
	}
}

func matchKeys() []string {
	return []string{"l_ip", "l_mask", "r_ip", "r_mask", "l_port", "r_port", "incoming_socket"}
}

// entry reads a rule; by says what a map compares, and is nil for a list.
func (f *jsonFile) entry(l *lookup, v *jsonValue, name string, by *demand) {
	fields := f.object(v, name, append(matchKeys(), "jump")...)
	if fields == nil {
		return
	}
	e := entry{at: v.at, name: l.name + name[strings.LastIndexByte(name, '['):], when: f.demand(v, fields, name)}
	if by != nil {
		e.when = e.when.under(*by)
	}
	jump := f.want(v, fields, name, "jump")
	if jump == nil {
		return
	}
	text, ok := f.string(jump, name+".jump")
	slot, isSlot := strings.CutPrefix(text, "o:")
	switch {
	case !ok:
		return
	case isSlot:
		n, err := strconv.ParseUint(slot, 10, 31)
		if err != nil || n >= uint64(len(f.c.Backends)) {
			f.add(jump.at, name+".jump", "%s: there is no such slot in outgoing, which has %d; their numbers begin with 0", shown(text), len(f.c.Backends))
			return
		}
		e.backend = slotName(int(n))
	case strings.HasPrefix(text, "r:"):
		f.jumps = append(f.jumps, jsonJump{l, len(l.entries), jump})
	default:
		f.add(jump.at, name+".jump", "%s is no target; write r: and the name of a list, or o: and the number of a slot", shown(text))
		return
	}
	l.entries = append(l.entries, e)
}

// under returns what a map compares of an entry; what the entry does not have is zero.
func (d demand) under(by demand) demand {
	under := demand{local: newMask(d.local.address, by.local.bits), client: newMask(d.client.address, by.client.bits)}
	if by.port.set {
		under.port = onePort{true, d.port.number}
	}
	if by.clientPort.set {
		under.clientPort = onePort{true, d.clientPort.number}
	}
	if by.listener != "" {
		under.listener = d.listener
		if d.listener == "" {
			under.listener = listenerName(0)
		}
	}
	return under
}

// demand reads what a rule asks for.
func (f *jsonFile) demand(v *jsonValue, fields map[string]*jsonValue, name string) (d demand) {
	d.local = f.mask(fields, name, "l_")
	d.client = f.mask(fields, name, "r_")
	d.port = f.port(fields["l_port"], name+".l_port")
	d.clientPort = f.port(fields["r_port"], name+".r_port")
	if v := fields["incoming_socket"]; v != nil {
		n, ok := f.number(v, name+".incoming_socket", math.MaxInt32)
		if ok && n >= uint64(len(f.c.Listeners)) {
			f.add(v.at, name+".incoming_socket", "there are %d in incoming, and no number %d; their numbers begin with 0", len(f.c.Listeners), n)
		}
		d.listener = listenerName(int(n))
	}
	return d
}

// mask reads an address and its mask.
func (f *jsonFile) mask(fields map[string]*jsonValue, name, side string) mask {
	address, bits := fields[side+"ip"], fields[side+"mask"]
	if address == nil {
		if bits != nil {
			f.notice(bits.at, name+"."+side+"mask", "there is no "+side+"ip; it is passed over")
		}
		return mask{}
	}
	under := leading(128)
	if bits != nil {
		under = f.ip(bits, name+"."+side+"mask")
	}
	return newMask(f.ip(address, name+"."+side+"ip"), under)
}

func (f *jsonFile) ip(v *jsonValue, name string) (address [16]byte) {
	text, ok := f.string(v, name)
	if !ok {
		return address
	}
	address, err := readIPv6(text)
	if err != nil {
		f.add(v.at, name, "%v", err)
	}
	return address
}

func (f *jsonFile) port(v *jsonValue, name string) onePort {
	if v == nil {
		return onePort{}
	}
	n, _ := f.number(v, name, math.MaxUint16)
	return onePort{true, uint16(n)}
}
