package wake

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// arguments puts descriptor numbers in the place of {fd}, {fd:NAME} and {fd:NAME[N]}. Other braces stay as they are.
func (l *layout) arguments() error {
	named := map[int]bool{}
	argv := []string{l.argv[0]}
	for _, text := range l.argv[1:] {
		replaced, err := l.replace(text, named)
		if err != nil {
			return err
		}
		argv = append(argv, replaced)
	}
	if len(named) == 0 {
		return refused("no argument says where the descriptor belongs: write %s there, such as --fd %s", l.placeholders(), placeholder(l.sockets, 0))
	}
	var kept []placed
	for i, s := range l.sockets {
		if named[i] {
			kept = append(kept, s)
		} else {
			l.unnamed = append(l.unnamed, s.Held)
		}
	}
	l.argv, l.sockets = argv, kept
	return nil
}

func (l *layout) replace(text string, named map[int]bool) (string, error) {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, "{fd")
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		inside, after, closed := strings.Cut(rest, "}")
		if !closed || inside != "" && inside[0] != ':' {
			out.WriteString("{fd")
			text = rest
			continue
		}
		i, err := l.find(strings.TrimPrefix(inside, ":"), "{fd"+inside+"}")
		if err != nil {
			return "", err
		}
		named[i] = true
		out.WriteString(strconv.Itoa(l.sockets[i].target))
		text = after
	}
}

// find returns which socket a placeholder names; without a name, the only one.
func (l *layout) find(name, written string) (int, error) {
	var found []int
	base, index, indexed := strings.Cut(name, "[")
	for i, s := range l.sockets {
		if name == "" || s.Name == name || s.Source == name {
			found = append(found, i)
		}
	}
	if len(found) == 0 && indexed {
		for i, s := range l.sockets {
			if s.Name == base || s.Source == base {
				found = append(found, i)
			}
		}
		n, err := strconv.ParseUint(strings.TrimSuffix(index, "]"), 10, 31)
		if err == nil && int(n) < len(found) {
			return found[n], nil
		}
		found = nil
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return 0, refused("%s names no socket: write %s", written, l.placeholders())
	}
	return 0, refused("%s may be any of %d sockets: write %s", written, len(found), l.placeholders())
}

// placeholders lists what could be written, one for each socket.
func (l *layout) placeholders() string {
	var all []string
	for i := range l.sockets {
		all = append(all, placeholder(l.sockets, i))
	}
	return strings.Join(all, ", ")
}

// placeholder is the shortest one that names the socket.
func placeholder(sockets []placed, i int) string {
	if len(sockets) == 1 {
		return "{fd}"
	}
	name, same, before := cmp.Or(sockets[i].Name, sockets[i].Source), 0, 0
	for j, s := range sockets {
		if s.Name == name || s.Source == name {
			same++
			if j < i {
				before++
			}
		}
	}
	if same > 1 {
		return fmt.Sprintf("{fd:%s[%d]}", name, before)
	}
	return "{fd:" + name + "}"
}
