package seccomp

import "golang.org/x/sys/unix"

// architecture is what the kernel calls this machine's native ABI in seccomp_data (audit.h). The x32 ABI has the same, and
// numbers of its own.
const architecture = unix.AUDIT_ARCH_X86_64
