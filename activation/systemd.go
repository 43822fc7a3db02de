package activation

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// firstFD is SD_LISTEN_FDS_START of sd_listen_fds(3).
const firstFD = 3

// maxFDs bounds what LISTEN_FDS and LISTEN_FDS_FIRST_FD may say. No process has more descriptors unless its kernel was told
// so (fs.nr_open, proc_sys_fs(5)), and a nonsensical number must not cost memory.
const maxFDs = 1 << 20

// listenFDs is what the variables of sd_listen_fds(3) say.
type listenFDs struct {
	descriptors []Descriptor // in the order of the socket units; those of another process are not among them
	unaddressed bool         // LISTEN_PID is absent or empty: whom they are meant for is not known
	other       string       // not empty: they are meant for another process, and this says which
	stored      int          // so many more came back from the manager's store
	err         error        // the variables are wrong
}

// variables of the protocol; LISTEN_FDS_FIRST_FD is systemfd's own.
func listenVariables() []string {
	return []string{"LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_FDS_FIRST_FD"}
}

// takeListenFDs reads the variables and unsets them, whatever they say.
func takeListenFDs(lookup func(string) (string, bool), unset func(string) error, pid int, pidfdID func() (uint64, bool)) listenFDs {
	l, err := parseListenFDs(lookup, pid, pidfdID)
	l.err = err
	for _, name := range listenVariables() {
		unset(name)
	}
	return l
}

// parseListenFDs makes the checks of libsystemd's sd_listen_fds_with_names(3), in its order but for one: without LISTEN_FDS
// nothing else is looked at.
func parseListenFDs(lookup func(string) (string, bool), pid int, pidfdID func() (uint64, bool)) (l listenFDs, err error) {
	count, counted := lookup("LISTEN_FDS")
	if !counted {
		return l, nil
	}
	addressee, _ := lookup("LISTEN_PID")
	switch n, err := strconv.Atoi(addressee); {
	case addressee == "":
		l.unaddressed = true
	case err != nil || n <= 0:
		return l, fmt.Errorf("LISTEN_PID=%s is not a process id: it says which process the sockets of LISTEN_FDS are for", addressee)
	case n != pid:
		l.other = fmt.Sprintf("LISTEN_PID=%s is another process (this one is %d)", addressee, pid)
		return l, nil
	}
	if text, ok := lookup("LISTEN_PIDFDID"); ok && !l.unaddressed {
		id, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return l, fmt.Errorf("LISTEN_PIDFDID=%s is not a number", text)
		}
		if own, known := pidfdID(); known && own != id {
			l.other = fmt.Sprintf("LISTEN_PIDFDID=%d is another process (this one is %d)", id, own)
			return l, nil
		}
	}
	first := firstFD
	if text, ok := lookup("LISTEN_FDS_FIRST_FD"); ok {
		if first, err = strconv.Atoi(text); err != nil || first < 0 || first > maxFDs {
			return l, fmt.Errorf("LISTEN_FDS_FIRST_FD=%s is not a descriptor number", text)
		}
	}
	n, err := strconv.Atoi(count)
	if err != nil || n <= 0 || n > maxFDs {
		return l, fmt.Errorf("LISTEN_FDS=%s is not a number from 1 on: it says how many sockets were passed; unset it where there are none", count)
	}
	names, named := lookup("LISTEN_FDNAMES")
	l.descriptors, err = numberAndName(first, n, names, named)
	return l, err
}

// numberAndName numbers and names the descriptors. An address counts those of the same name from 0.
func numberAndName(first, n int, names string, named bool) ([]Descriptor, error) {
	var split []string
	if named {
		if split = strings.Split(names, ":"); len(split) != n {
			return nil, fmt.Errorf("LISTEN_FDNAMES=%s does not hold as many names (%d) as LISTEN_FDS=%d says: whoever sets them has to name every descriptor, with colons between", names, len(split), n)
		}
	}
	descriptors := make([]Descriptor, n)
	seen := map[string]int{}
	for i := range descriptors {
		name := "unknown"
		if named {
			name = split[i]
		}
		descriptors[i] = Descriptor{Number: first + i, Name: name, Source: fmt.Sprintf("systemd:%s[%d]", name, seen[name])}
		if name == "" {
			descriptors[i].Source = fmt.Sprintf("systemd:[%d]", i) // without a name the index counts all
		}
		seen[name]++
	}
	for i, d := range descriptors { // an index only where it tells something
		if seen[d.Name] == 1 && d.Name != "" {
			descriptors[i].Source = "systemd:" + d.Name
		}
	}
	return descriptors, nil
}

// mine returns the descriptors that are certainly meant for this process; notices say why others are not.
func (l listenFDs) mine() ([]Descriptor, []string, error) {
	switch {
	case l.unaddressed: // whatever else they say: libsystemd looks no further either
		return nil, []string{"LISTEN_FDS is set without LISTEN_PID, so its descriptors may be another process's and are not used: take one with --fd N, counted from 0"}, nil
	case l.err != nil:
		return nil, nil, l.err
	case l.other != "":
		return nil, []string{"LISTEN_FDS is set, but not for this process: " + l.other}, nil
	}
	return l.descriptors, nil, nil
}

// absence says why there are no passed sockets to count.
func (l listenFDs) absence() string { return cmp.Or(l.other, "LISTEN_FDS is not set") }

// named returns the descriptors of an address systemd:NAME, systemd:NAME[INDEX] or systemd:.
func (l listenFDs) named(a Address) ([]Descriptor, error) {
	all, notices, err := l.mine()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.subject(), err)
	}
	if len(all) == 0 {
		reason := "LISTEN_FDS is not set: start it by a socket unit, or name another source"
		switch {
		case len(notices) > 0:
			reason = notices[0]
		case l.stored > 0:
			reason = "LISTEN_FDS holds only what came back from the manager's store: start it by a socket unit, or name another source"
		}
		return nil, fmt.Errorf("%s: no sockets were passed: %s", a.subject(), reason)
	}
	name, index, err := a.named()
	if err != nil {
		return nil, err
	}
	var found []Descriptor
	for _, d := range all {
		if name == "" || d.Name == name {
			found = append(found, d)
		}
	}
	if index >= 0 && index < len(found) {
		return found[index : index+1], nil
	}
	if len(found) == 0 || index >= 0 {
		return nil, fmt.Errorf("%s: no such socket was passed; there are %s", a.subject(), sourcesOf(all))
	}
	return found, nil
}

// named splits NAME[INDEX]; index is -1 without brackets.
func (a Address) named() (name string, index int, err error) {
	name, rest, indexed := strings.Cut(a.Detail, "[")
	if !indexed {
		return name, -1, nil
	}
	index, err = strconv.Atoi(strings.TrimSuffix(rest, "]"))
	if err != nil || index < 0 || !strings.HasSuffix(rest, "]") {
		return "", 0, fmt.Errorf("%s: write NAME or NAME[INDEX], counting from 0", a)
	}
	return name, index, nil
}

// numbered is what static-web-server's --fd N means: with LISTEN_FDS the N-th passed socket, whoever LISTEN_PID leaves
// open; otherwise, or where they are another process's, descriptor N itself.
func (o *Opener) numbered(n uint) (Descriptor, error) {
	l := o.listenFDs
	if l.err != nil {
		return Descriptor{}, l.err
	}
	if len(l.descriptors) == 0 {
		if n > math.MaxInt32 {
			return Descriptor{}, errors.New("--fd is larger than any descriptor number")
		}
		return Descriptor{Number: int(n), Source: "fd:" + strconv.FormatUint(uint64(n), 10)}, nil
	}
	if n >= uint(len(l.descriptors)) {
		return Descriptor{}, fmt.Errorf("--fd %d: no such socket was passed: LISTEN_FDS=%d, and counted from 0 they are %s", n, len(l.descriptors), sourcesOf(l.descriptors))
	}
	return l.descriptors[n], nil
}

func sourcesOf(descriptors []Descriptor) string {
	words := make([]string, len(descriptors))
	for i, d := range descriptors {
		words[i] = d.Source
	}
	return strings.Join(words, ", ")
}
