package process

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"
)

// entry is a socket in a table of /proc/PID/net.
type entry struct {
	inode     uint64 // 0: nobody accepted it yet, or it waits for its end
	local     netip.AddrPort
	name      string
	connected bool
	listens   bool
}

// table is a file of /proc/PID/net.
type table struct {
	name  string
	parse func(line string) (entry, bool)
}

// tables are those of sockets that accept(2) gives. One of them may be missing: without IPv6 there is no tcp6.
func tables() []table { return []table{{"tcp", tcpEntry}, {"tcp6", tcpEntry}, {"unix", unixEntry}} }

func (c *counter) countTable(text string, parse func(string) (entry, bool), inodes map[uint64]bool) {
	for line := range strings.Lines(text) {
		e, ok := parse(line)
		if !ok || e.inode == 0 || c.seen[e.inode] || inodes != nil && !inodes[e.inode] {
			continue
		}
		c.seen[e.inode] = true
		if e.connected && c.accepted(e.local, e.name) {
			c.connections++
		}
	}
}

// States of TCP in the tables (net/tcp_states.h).
const (
	tcpTimeWait = 0x06
	tcpClose    = 0x07
	tcpListen   = 0x0a
)

// tcpEntry reads a line of the tables tcp and tcp6 (proc_pid_net(5)):
//
//	sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode …
func tcpEntry(line string) (entry, bool) {
	f := strings.Fields(line)
	if len(f) < 10 {
		return entry{}, false
	}
	state, err := strconv.ParseUint(f[3], 16, 8)
	local, ok := tableAddress(f[1])
	inode, err2 := strconv.ParseUint(f[9], 10, 64)
	connected := state != tcpTimeWait && state != tcpClose && state != tcpListen
	return entry{inode: inode, local: local, connected: connected, listens: state == tcpListen}, ok && err == nil && err2 == nil
}

// tableAddress reads an address whose 32-bit words stand in hexadecimal in this machine's order, and its port.
func tableAddress(text string) (netip.AddrPort, bool) {
	host, port, _ := strings.Cut(text, ":")
	words, err := hex.DecodeString(host)
	number, err2 := strconv.ParseUint(port, 16, 16)
	if err != nil || err2 != nil || len(words)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(words); i += 4 {
		binary.NativeEndian.PutUint32(words[i:], binary.BigEndian.Uint32(words[i:]))
	}
	address, ok := netip.AddrFromSlice(words)
	return netip.AddrPortFrom(address.Unmap(), uint16(number)), ok
}

// unixEntry reads a line of the table unix (proc_pid_net(5)), where an accepted socket has its listener's name:
//
//	Num RefCount Protocol Flags Type St Inode Path
func unixEntry(line string) (entry, bool) {
	const connected = "03" // SS_CONNECTED
	var f [7]string
	path := strings.TrimSuffix(line, "\n") // it may have spaces
	for i := range f {
		f[i], path, _ = strings.Cut(strings.TrimLeft(path, " "), " ")
	}
	inode, err := strconv.ParseUint(f[6], 10, 64)
	return entry{inode: inode, name: path, connected: f[5] == connected && path != ""}, err == nil
}
