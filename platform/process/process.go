// Package process looks into other processes: their memory, descriptors, relatives and connections (proc(5)).
package process

// Descendants returns all processes below pid: its children, theirs, and so on, in no order. Elsewhere than on Linux: none.
func Descendants(pid int) []int { return descendants(pid) }

// Parent returns the parent of a process, or 0 where it is not known.
func Parent(pid int) int { return parent(pid) }

// Name returns the name that the kernel has for a process, at most 15 bytes (comm in proc(5)), or "" where it is not known.
func Name(pid int) string { return name(pid) }
