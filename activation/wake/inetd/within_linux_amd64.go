package inetd

import "golang.org/x/sys/unix"

// systemCall is the instruction syscall.
const systemCall = "\x0f\x05"

type registers struct{ unix.PtraceRegs }

func readRegisters(pid int) (r registers, err error) {
	return r, unix.PtraceGetRegs(pid, &r.PtraceRegs)
}

func (r registers) write(pid int) error { return unix.PtraceSetRegs(pid, &r.PtraceRegs) }

// place returns the address of the next instruction, and one of the stack that is free.
func (r registers) place() (pc, room uintptr) {
	return uintptr(r.Rip), uintptr(r.Rsp-below) &^ 15
}

// calling is the registers with which a system call begins (syscall(2)).
func (r registers) calling(number, a, b, c, d uint64) registers {
	r.Orig_rax = ^uint64(0) // none is to be begun again
	r.Rax, r.Rdi, r.Rsi, r.Rdx, r.R10 = number, a, b, c, d
	return r
}

func (r registers) result() int64 { return int64(r.Rax) }
