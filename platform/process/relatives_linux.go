package process

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

func descendants(pid int) []int {
	children := map[int][]int{}
	for _, one := range numbers("/proc") {
		if p := parent(one); p != 0 {
			children[p] = append(children[p], one)
		}
	}
	var found []int
	for open := []int{pid}; len(open) > 0; open = open[1:] {
		below := children[open[0]]
		delete(children, open[0]) // processes come and go while we look: nobody is found twice
		found = append(found, below...)
		open = append(open, below...)
	}
	return found
}

func parent(pid int) int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	return parentIn(string(b))
}

// parentIn reads the field behind the state. The name in front of them may have any character, also ")".
func parentIn(line string) int {
	fields := strings.Fields(line[strings.LastIndexByte(line, ')')+1:])
	if len(fields) < 2 {
		return 0
	}
	ppid, _ := strconv.Atoi(fields[1])
	return ppid
}

func name(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(b), "\n")
}

// Leader returns the process that a thread belongs to.
func Leader(tid int) (pid int, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", tid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if value, ok := strings.CutPrefix(line, "Tgid:"); ok {
			return strconv.Atoi(strings.TrimSpace(value))
		}
	}
	return 0, fmt.Errorf("/proc/%d/status names no process", tid)
}

// numbers returns the names in a directory that are numbers.
func numbers(directory string) []int {
	all, _ := list(directory)
	return all
}

func list(directory string) ([]int, error) {
	d, err := os.Open(directory)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	var found []int
	for _, n := range names {
		if number, err := strconv.Atoi(n); err == nil {
			found = append(found, number)
		}
	}
	return found, err
}
