package platform

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

func familyOf(fd int) Family {
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil {
		return "unknown"
	}
	return family(domain)
}

func protocol(fd int, s Socket) string {
	if s.Family == Unix {
		return "unix"
	}
	number, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL)
	if err != nil {
		return usualProtocol(s)
	}
	switch number {
	case unix.IPPROTO_TCP:
		return "tcp"
	case unix.IPPROTO_MPTCP:
		return "mptcp"
	case unix.IPPROTO_UDP:
		return "udp"
	case unix.IPPROTO_UDPLITE:
		return "udplite"
	case unix.IPPROTO_SCTP:
		return "sctp"
	}
	return fmt.Sprintf("protocol %d", number)
}

func listening(fd int, _ string) bool {
	n, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	return err == nil && n != 0
}

func duplicate(from, to int) error { return unix.Dup3(from, to, 0) }

// openFile is " (PATH)" of what is open there, which tells best where it came from (proc(5), /proc/PID/fd).
func openFile(fd int) string {
	path, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	if err != nil || strings.HasPrefix(path, "pipe:") {
		return ""
	}
	return " (" + path + ")"
}

// pidFSMagic is PID_FS_MAGIC of linux/magic.h; only on pidfs (Linux 6.9) is the inode number an identity.
const pidFSMagic = 0x50494446

func pidfdID() (uint64, bool) {
	fd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		return 0, false
	}
	defer unix.Close(fd)
	var fs unix.Statfs_t
	if unix.Fstatfs(fd, &fs) != nil || fs.Type != pidFSMagic {
		return 0, false
	}
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return 0, false
	}
	return st.Ino, true
}

func portHolder(port int) string {
	inodes := map[string]bool{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		listenersOn(table, port, inodes)
	}
	if len(inodes) == 0 {
		return ""
	}
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, link := range links {
		target, err := os.Readlink(link)
		if err != nil || !strings.HasPrefix(target, "socket:[") || !inodes[target[len("socket:["):len(target)-1]] {
			continue
		}
		pid := strings.Split(link, "/")[2]
		name, err := os.ReadFile("/proc/" + pid + "/comm")
		if err != nil {
			continue
		}
		return fmt.Sprintf("%s (pid %s)", strings.TrimSpace(string(name)), pid)
	}
	return ""
}

// listenersOn adds the inode numbers of the sockets that listen on the port, from a table as proc(5) describes
// /proc/net/tcp: field 1 is the local address as HEX:PORT, field 3 the state (0A is LISTEN), field 9 the inode.
func listenersOn(table string, port int, inodes map[string]bool) {
	f, err := os.Open(table)
	if err != nil {
		return
	}
	defer f.Close()
	wanted := fmt.Sprintf(":%04X", port)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) > 9 && strings.HasSuffix(fields[1], wanted) && fields[3] == "0A" {
			inodes[fields[9]] = true
		}
	}
}
