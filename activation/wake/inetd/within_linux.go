package inetd

import (
	"encoding/binary"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// below is how far under its stack pointer a process that has not yet run has room: behind the red zone of the System V ABI
// (128 bytes), and in the same page or the next, which exec(2) has mapped.
const below = 512

// limitWithin has a process that stopped at its exec limit itself, as it may always lower its limits, while prlimit(2) from
// outside needs CAP_SYS_RESOURCE once the process has become another user, which root in a container mostly has not. It is done
// as debuggers call functions (ptrace(2)): the first instruction is replaced by a system call for one step.
func limitWithin(pid, resource int, l unix.Rlimit) error {
	saved, err := readRegisters(pid)
	if err != nil {
		return fmt.Errorf("read its registers: %w", err)
	}
	pc, room := saved.place()
	was := make([]byte, 8)
	if _, err := unix.PtracePeekText(pid, pc, was); err != nil {
		return fmt.Errorf("read its text: %w", err)
	}
	call := append([]byte(systemCall), was[len(systemCall):]...)
	value := binary.NativeEndian.AppendUint64(binary.NativeEndian.AppendUint64(nil, l.Cur), l.Max)
	if _, err := unix.PtracePokeText(pid, pc, call); err != nil {
		return fmt.Errorf("write its text: %w", err)
	}
	var result int64
	_, err = unix.PtracePokeData(pid, room, value)
	if err == nil {
		result, err = step(pid, saved.calling(unix.SYS_PRLIMIT64, 0, uint64(resource), uint64(room), 0))
	}
	if _, failed := unix.PtracePokeText(pid, pc, was); err == nil {
		err = failed
	}
	if failed := saved.write(pid); err == nil {
		err = failed
	}
	if err != nil {
		return err
	}
	if result < 0 {
		return syscall.Errno(-result)
	}
	return nil
}

// step sets the registers, has the process execute one instruction, and returns the result of the system call that it is.
func step(pid int, r registers) (int64, error) {
	if err := r.write(pid); err != nil {
		return 0, fmt.Errorf("write its registers: %w", err)
	}
	if err := unix.PtraceSingleStep(pid); err != nil {
		return 0, fmt.Errorf("step: %w", err)
	}
	if err := awaitStop(pid); err != nil {
		return 0, err
	}
	after, err := readRegisters(pid)
	return after.result(), err
}

// awaitStop waits until a traced process has stopped.
func awaitStop(pid int) error {
	var status syscall.WaitStatus
	for {
		_, err := syscall.Wait4(pid, &status, 0, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return fmt.Errorf("wait for its start: %w", err)
		case !status.Stopped():
			return fmt.Errorf("it ended at its start")
		default:
			return nil
		}
	}
}
