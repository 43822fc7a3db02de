package wake

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/rouse-server/rouse/platform/process"
)

// canSearch: the program's processes tell where they listen.
const canSearch = true

// listening is a TCP socket that listens.
type listening struct {
	address netip.AddrPort
	inode   uint64
	queue   int // connections that were not accepted yet
}

// listeners reads the tables of this network namespace, where the program has to be reachable (proc(5), /proc/net/tcp).
// They begin with what listens.
func listeners() ([]listening, error) { return listenersIn("/proc/self/net/") }

func listenersIn(folder string) (all []listening, err error) {
	for _, table := range []string{"tcp", "tcp6"} {
		f, err := os.Open(folder + table)
		if errors.Is(err, fs.ErrNotExist) && table == "tcp6" { // a kernel without IPv6
			continue
		}
		if err != nil {
			return nil, err
		}
		rows := bufio.NewScanner(f)
		for rows.Scan(); rows.Scan(); { // the first line is the heading
			one, ok := readRow(strings.Fields(rows.Text()))
			if !ok {
				break
			}
			all = append(all, one)
		}
		f.Close()
	}
	return all, nil
}

// readRow reads number, local address, remote address, state, tx_queue:rx_queue and more, of which field 9 is the inode.
func readRow(fields []string) (listening, bool) {
	if len(fields) < 10 || fields[3] != "0A" {
		return listening{}, false
	}
	host, port, _ := strings.Cut(fields[1], ":")
	b, err := hex.DecodeString(host)
	if err != nil || len(b)%4 != 0 {
		return listening{}, false
	}
	for word := range slices.Chunk(b, 4) { // each is printed as a number of this machine's byte order
		binary.NativeEndian.PutUint32(word, binary.BigEndian.Uint32(word))
	}
	address, ok := netip.AddrFromSlice(b)
	number, err := strconv.ParseUint(port, 16, 16)
	_, queue, _ := strings.Cut(fields[4], ":")
	length, _ := strconv.ParseInt(queue, 16, 64)
	inode, _ := strconv.ParseUint(fields[9], 10, 64)
	return listening{netip.AddrPortFrom(address, uint16(number)), inode, int(length)}, ok && err == nil
}

// reaches tells whether a connection to the address could arrive at the socket.
func (l listening) reaches(a netip.AddrPort) bool {
	own := l.address.Addr()
	return l.address.Port() == a.Port() && (own.Unmap() == a.Addr() || own.IsUnspecified() && (own.Is6() || a.Addr().Is4()))
}

// answered tells whether somebody listens on one of the addresses; true also where that cannot be known.
func answered(addresses []netip.AddrPort) bool {
	all, err := listeners()
	return err != nil || slices.ContainsFunc(all, func(l listening) bool { return slices.ContainsFunc(addresses, l.reaches) })
}

// untaken counts the connections to the addresses, or to the path, that were not accepted yet.
func untaken(addresses []netip.AddrPort, path string) int {
	if path != "" {
		return untakenUnix(path)
	}
	count := 0
	all, _ := listeners()
	for _, l := range all {
		if slices.ContainsFunc(addresses, l.reaches) {
			count += l.queue
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
		for _, inode := range socketInodes(pid) {
			mine[inode] = true
		}
	}
	all, _ := listeners()
	all = slices.DeleteFunc(all, func(l listening) bool { return !mine[l.inode] })
	slices.SortFunc(all, func(a, b listening) int { return cmp.Compare(a.inode, b.inode) }) // they grow with time, on one CPU
	for _, l := range all {
		k := key{host: l.address.Addr().Unmap(), port: l.address.Port()}
		if l.address.Port() == all[0].address.Port() {
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

// socketInodes returns the numbers of the sockets that a process has open.
func socketInodes(pid int) []uint64 {
	folder := fmt.Sprintf("/proc/%d/fd/", pid)
	entries, _ := os.ReadDir(folder)
	var inodes []uint64
	for _, e := range entries {
		number, _ := strconv.Atoi(e.Name())
		if inode, ok := process.SocketInode(pid, number); ok {
			inodes = append(inodes, inode)
		}
	}
	return inodes
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
