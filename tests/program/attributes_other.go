//go:build !linux

package program

import "syscall"

// attributes puts the program into a process group of its own. Only Linux can end it with the test binary.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
