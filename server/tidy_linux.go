package server

import (
	"bufio"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// tidy gives memory back to the system that is not needed while nothing goes on: the heap's, and the pages of the program itself
// that were mapped when they were used, or because they lie near (the kernel maps 64 KiB at a time). They come back when they are used
// again.
func tidy() {
	freeMemory()
	program, err := os.Executable()
	if err != nil {
		return
	}
	for _, part := range unwritten(program) {
		unix.Syscall(unix.SYS_MADVISE, part.start, part.end-part.start, unix.MADV_DONTNEED)
	}
}

// part is a part of the address space.
type part struct{ start, end uintptr }

// unwritten returns where a program's own file is mapped, as far as nothing was written there: to give up pages that were
// would undo that (madvise(2), MADV_DONTNEED; proc_pid_smaps(5)).
func unwritten(program string) (parts []part) {
	smaps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return nil
	}
	defer smaps.Close()
	var one part
	var ours bool
	for lines := bufio.NewScanner(smaps); lines.Scan(); {
		line := lines.Text()
		if found, rights, ok := parseMapping(line); ok {
			one, ours = found, rights[1] != 'w' && strings.HasSuffix(line, " "+program)
		} else if own, ok := strings.CutPrefix(line, "Anonymous:"); ok && ours && strings.TrimSpace(own) == "0 kB" {
			parts = append(parts, one)
		}
	}
	return parts
}

// parseMapping reads the line that begins a mapping: "start-end rights …", in hexadecimal digits.
func parseMapping(line string) (p part, rights string, ok bool) {
	span, rest, _ := strings.Cut(line, " ")
	from, to, ok := strings.Cut(span, "-")
	if !ok || len(rest) < 4 {
		return p, "", false
	}
	start, err1 := strconv.ParseUint(from, 16, 64)
	end, err2 := strconv.ParseUint(to, 16, 64)
	return part{uintptr(start), uintptr(end)}, rest[:4], err1 == nil && err2 == nil && start < end
}
