package inetd

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/program"
)

// onFreePorts starts a program that has to be told which ports to bind, one on each host, and waits until it listens on
// them. Where somebody else took one of them in between, it is started again with others.
func onFreePorts(t testing.TB, hosts []string, start func(addresses []string) *program.Process) (*program.Process, []string) {
	t.Helper()
	for range 3 {
		var addresses []string
		for _, host := range hosts {
			addresses = append(addresses, freeAddress(t, host))
		}
		p := start(addresses)
		if listens(p, addresses) {
			return p, addresses
		}
		t.Logf("pid %d does not listen on %v; trying other ports", p.Pid, addresses)
		p.Stop()
	}
	t.Fatal("it listened on none of the ports that were free a moment before")
	return nil, nil
}

// freeAddress returns host with a port that was free just now.
func freeAddress(t testing.TB, host string) string {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// needHost skips the test where the machine has no such address.
func needHost(t testing.TB, host string) {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Skipf("nothing can listen on %s here: %v", host, err)
	}
	listener.Close()
}

// listens waits until the process itself listens on all the addresses, without connecting to them: that would be a
// client already. It returns false when the process has ended or does not.
func listens(p *program.Process, addresses []string) bool {
	for deadline := time.Now().Add(limit / 2); time.Now().Before(deadline); {
		if !slices.ContainsFunc(addresses, func(address string) bool { return !holdsListener(p.Pid, address) }) {
			return true
		}
		select {
		case <-p.Ended():
			return false
		case <-time.After(5 * time.Millisecond):
		}
	}
	return false
}

// holdsListener tells whether one of the process's descriptors listens on the port (or unix path) of address.
func holdsListener(pid int, address string) bool {
	inodes := map[string]bool{}
	if filepath.IsAbs(address) {
		unixListeners(address, inodes)
	} else {
		tcpListeners(address, inodes)
	}
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && inodes[target] {
			return true
		}
	}
	return false
}

// tcpListeners adds the sockets that listen on the port, as /proc/PID/fd shows them. In the tables of proc(5), field 1 is
// the local address as HEX:PORT, field 3 the state (0A is LISTEN), field 9 the inode.
func tcpListeners(address string, inodes map[string]bool) {
	port, _ := strconv.Atoi(address[strings.LastIndex(address, ":")+1:])
	wanted := fmt.Sprintf(":%04X", port)
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		for _, fields := range rows(table) {
			if len(fields) > 9 && strings.HasSuffix(fields[1], wanted) && fields[3] == "0A" {
				inodes["socket:["+fields[9]+"]"] = true
			}
		}
	}
}

// unixListeners does so for a path: field 3 of /proc/net/unix is the flags (00010000 is __SO_ACCEPTCON), field 6 the inode.
func unixListeners(path string, inodes map[string]bool) {
	for _, fields := range rows("/proc/net/unix") {
		if len(fields) > 7 && fields[7] == path && fields[3] == "00010000" {
			inodes["socket:["+fields[6]+"]"] = true
		}
	}
}

func rows(table string) (rows [][]string) {
	f, err := os.Open(table)
	if err != nil {
		return nil
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		rows = append(rows, strings.Fields(lines.Text()))
	}
	return rows
}
