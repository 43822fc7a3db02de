package files

import "syscall"

// times are when the content of a file last changed (mtime, which can be set at will) and when
// anything about it did (ctime, which cannot).
func times(stat *syscall.Stat_t) (modified, changed syscall.Timespec) {
	return stat.Mtim, stat.Ctim
}
