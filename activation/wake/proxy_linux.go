package wake

import (
	"cmp"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/rouse-server/rouse/platform/process"
)

// canSearch: the program's processes tell where they listen.
const canSearch = true

// reaches tells whether a connection to the address could arrive at the socket.
func reaches(l process.Listening, a netip.AddrPort) bool {
	own := l.Address.Addr()
	return l.Address.Port() == a.Port() && (own == a.Addr() || own.IsUnspecified() && (own.Is6() || a.Addr().Is4()))
}

// among tells whether a connection to one of the addresses could arrive at the socket.
func among(l process.Listening, addresses []netip.AddrPort) bool {
	return slices.ContainsFunc(addresses, func(a netip.AddrPort) bool { return reaches(l, a) })
}

// answered tells whether somebody listens on one of the addresses; true also where that cannot be known.
func answered(addresses []netip.AddrPort) bool {
	all, err := process.ListeningHere()
	return err != nil || slices.ContainsFunc(all, func(l process.Listening) bool { return among(l, addresses) })
}

// untaken counts the connections to the addresses, or to the path, that were not accepted yet.
func untaken(addresses []netip.AddrPort, path string) int {
	if path != "" {
		return untakenUnix(path)
	}
	count := 0
	all, _ := process.ListeningHere()
	for _, l := range all {
		if among(l, addresses) {
			count += l.Queue
		}
	}
	return count
}

// untakenUnix reads the table of unix sockets: number, references, protocol, flags, type, state, inode and path. The end of a
// connection that nobody accepted has its listener's path, and is connecting (net/unix/af_unix.c, unix_seq_show).
func untakenUnix(path string) int {
	const connecting = "02"
	text, _ := os.ReadFile("/proc/self/net/unix")
	count := 0
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) > 7 && fields[5] == connecting && cleanPath(fields[7]) == path {
			count++
		}
	}
	return count
}

// search returns where the processes of an instance listen: all addresses of the port that was opened first, and others.
func search(one *instance) (first, others []netip.AddrPort) {
	mine := map[uint64]bool{}
	for _, pid := range one.processes() {
		for _, inode := range process.Sockets(pid) {
			mine[inode] = true
		}
	}
	all, _ := process.ListeningHere() // of this network namespace, where the program has to be reachable
	all = slices.DeleteFunc(all, func(l process.Listening) bool { return !mine[l.Inode] })
	slices.SortFunc(all, func(a, b process.Listening) int { return cmp.Compare(a.Inode, b.Inode) }) // they grow with time, on one CPU
	for _, l := range all {
		k := key{host: l.Address.Addr(), port: l.Address.Port()}
		if l.Address.Port() == all[0].Address.Port() {
			first = append(first, k.reachable()...)
		} else {
			others = append(others, k.reachable()...)
		}
	}
	return first, others
}

// processes are those of the instance; once its first process has ended, all that are below this one.
func (one *instance) processes() []int {
	if over(one.main.ended) {
		return process.Descendants(os.Getpid())
	}
	return append(process.Descendants(one.main.pid), one.main.pid)
}

// awaitEnd waits until no process of the instance is left: this process adopts what its first one leaves behind, and hears
// of its end.
func (e *proxyEngine) awaitEnd(*instance) {
	self := os.Getpid()
	for {
		changed := e.family.change()
		left := slices.ContainsFunc(process.Descendants(self), func(pid int) bool {
			return process.Parent(pid) == self && !e.family.strangers[pid]
		})
		if !left {
			return
		}
		<-changed
	}
}
