package main

import "golang.org/x/sys/unix"

// isBPFFileSystem tells whether a folder is one in which programs of the kernel can be kept (BPF_FS_MAGIC, statfs(2)).
func isBPFFileSystem(path string) bool {
	var st unix.Statfs_t
	return unix.Statfs(path, &st) == nil && int64(st.Type) == unix.BPF_FS_MAGIC
}
