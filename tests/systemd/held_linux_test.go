package systemd

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/tests/program"
)

// standStill stops the processes of a service, the main one first, and has none of them accept anything any more, also when it goes
// on: without a descriptor to be had, accept(2) fails with EMFILE and the connection stays in the queue.
func standStill(t *testing.T, unit string) (pids []int) {
	t.Helper()
	main, others := processesOf(t, unit)
	for _, pid := range append([]int{main}, others...) {
		if syscall.Kill(pid, 0) != nil {
			continue // it went meanwhile
		}
		program.Freeze(t, pid)
		var limit unix.Rlimit
		if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &limit); err != nil {
			t.Fatal(err)
		}
		limit.Cur = 0
		if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &limit, nil); err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	if len(pids) == 0 || pids[0] != main {
		t.Fatalf("%s has no main process", unit)
	}
	return pids
}

// heldBy is the other ends of the TCP connections that processes have open: what is in a queue is nobody's descriptor yet.
func heldBy(t *testing.T, pids []int) map[string]bool {
	t.Helper()
	peers, held := peersByInode(t), map[string]bool{}
	for _, pid := range pids {
		for socket := range sockets(t, pid) {
			if peer, ok := peers[socket]; ok {
				held[peer] = true
			}
		}
	}
	return held
}

// peersByInode is the remote address of each TCP connection whose client is there still, by its descriptor's name below /proc. In
// /proc/net/tcp, field 2 is that address, field 3 the state, 01 for ESTABLISHED, and field 9 the inode (proc(5)).
func peersByInode(t *testing.T) map[string]string {
	t.Helper()
	peers := map[string]string{}
	for _, path := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		table, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(table)) {
			fields := strings.Fields(line)
			if fields[3] == "01" {
				peers["socket:["+fields[9]+"]"] = addressOf(t, fields[2])
			}
		}
	}
	return peers
}

// addressOf reads an address as /proc writes it: 32-bit words in the machine's order of bytes, which is little-endian here, and the port.
func addressOf(t *testing.T, text string) string {
	t.Helper()
	host, number, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(host)
	if err != nil {
		t.Fatal(err)
	}
	for word := range slices.Chunk(raw, 4) {
		slices.Reverse(word)
	}
	address, ok := netip.AddrFromSlice(raw)
	port, err := strconv.ParseUint(number, 16, 16)
	if !ok || err != nil {
		t.Fatal(fmt.Errorf("address %q: %v", text, err))
	}
	return netip.AddrPortFrom(address.Unmap(), uint16(port)).String()
}
