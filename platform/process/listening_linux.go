package process

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// Listening is a TCP socket that listens.
type Listening struct {
	Address netip.AddrPort
	Inode   uint64
	Queue   int // connections that were not accepted yet
}

// ListeningHere returns those of this process's network namespace (/proc/net/tcp and tcp6, proc_pid_net(5)).
func ListeningHere() ([]Listening, error) { return listeningIn("/proc/self/net/") }

func listeningIn(folder string) (all []Listening, err error) {
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
			one, ok := listeningEntry(rows.Text())
			if !ok {
				break // the tables begin with what listens
			}
			all = append(all, one)
		}
		f.Close()
	}
	return all, nil
}

// listeningEntry reads a line as tcpEntry does, and the length of the queue, which listeners have as their rx_queue.
func listeningEntry(line string) (Listening, bool) {
	e, ok := tcpEntry(line)
	if !ok || !e.listens {
		return Listening{}, false
	}
	_, queue, _ := strings.Cut(strings.Fields(line)[4], ":")
	length, _ := strconv.ParseInt(queue, 16, 64)
	return Listening{e.local, e.inode, int(length)}, true
}

// Sockets returns the numbers by which the kernel knows the sockets that a process has open, as far as they can be seen.
func Sockets(pid int) []uint64 {
	fds, _ := list(fmt.Sprintf("/proc/%d/fd", pid))
	var inodes []uint64
	for _, fd := range fds {
		if inode, ok := SocketInode(pid, fd); ok {
			inodes = append(inodes, inode)
		}
	}
	return inodes
}
