package program

import "syscall"

// attributes puts the program into a process group of its own and ends it with the test binary, also when that is
// killed or runs into its -timeout, where no cleanup runs.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
