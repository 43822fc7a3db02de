package seccomp

import "golang.org/x/sys/unix"

// architecture is what the kernel calls this machine's native ABI in seccomp_data (audit.h).
const architecture = unix.AUDIT_ARCH_AARCH64
