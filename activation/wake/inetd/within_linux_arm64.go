package inetd

import "golang.org/x/sys/unix"

// systemCall is the instruction svc #0.
const systemCall = "\x01\x00\x00\xd4"

// ntPRStatus names the general registers (NT_PRSTATUS of elf(5)).
const ntPRStatus = 1

type registers struct{ unix.PtraceRegsArm64 }

func readRegisters(pid int) (r registers, err error) {
	return r, unix.PtraceGetRegSetArm64(pid, ntPRStatus, &r.PtraceRegsArm64)
}

func (r registers) write(pid int) error {
	return unix.PtraceSetRegSetArm64(pid, ntPRStatus, &r.PtraceRegsArm64)
}

// place returns the address of the next instruction, and one of the stack that is free.
func (r registers) place() (pc, room uintptr) {
	return uintptr(r.Pc), uintptr(r.Sp-below) &^ 15
}

// calling is the registers with which a system call begins (syscall(2)).
func (r registers) calling(number, a, b, c, d uint64) registers {
	r.Regs[8], r.Regs[0], r.Regs[1], r.Regs[2], r.Regs[3] = number, a, b, c, d
	return r
}

func (r registers) result() int64 { return int64(r.Regs[0]) }
