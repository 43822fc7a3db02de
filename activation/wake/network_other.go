//go:build !linux

package wake

import "syscall"

func closeDescriptor(fd int) { syscall.Close(fd) }
