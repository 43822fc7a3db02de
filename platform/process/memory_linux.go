package process

import "golang.org/x/sys/unix"

// ReadMemory fills b from the memory of the process of a thread (process_vm_readv(2)). Where not all of it is there, the error
// is EFAULT; EPERM where this process may not look: ptrace(2), "Ptrace access mode checking".
func ReadMemory(tid int, address uint64, b []byte) error {
	return transfer(unix.ProcessVMReadv, tid, address, b)
}

// WriteMemory is the way back (process_vm_writev(2)).
func WriteMemory(tid int, address uint64, b []byte) error {
	return transfer(unix.ProcessVMWritev, tid, address, b)
}

func transfer(call func(int, []unix.Iovec, []unix.RemoteIovec, uint) (int, error), tid int, address uint64, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	local := []unix.Iovec{{Base: &b[0]}}
	local[0].SetLen(len(b))
	n, err := call(tid, local, []unix.RemoteIovec{{Base: uintptr(address), Len: len(b)}}, 0)
	if err == nil && n != len(b) {
		return unix.EFAULT
	}
	return err
}
