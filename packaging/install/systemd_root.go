package install

// root keeps a program that starts as root, and makes itself another user, as Debian's nginx and sshd do: it has root's rights on
// files and users, and no others. It may write where such programs do.
func (s systemdSite) root(u *unitText) {
	if s.Account != "root" || s.Command != "run" && s.Command != "inetd" {
		return
	}
	u.explain("CapabilityBoundingSet", "# Root's rights on files and users, for a program that makes itself another user. By CAP_SYS_PTRACE Rouse sees the",
		"# connections of its processes then.")
	u.set("CapabilityBoundingSet", "CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID CAP_KILL CAP_SETGID CAP_SETUID CAP_SYS_CHROOT CAP_SYS_PTRACE CAP_AUDIT_WRITE")
	u.drop("PrivateUsers")
	u.explain("ProtectSystem", "# The file system is read-only below /usr, /boot and /etc,")
	u.set("ProtectSystem", "full")
	u.explain("UMask", "# As services usually have it.")
	u.set("UMask", "0022")
	u.after("SystemCallErrorNumber", "# The calls by which it becomes another user.", "SystemCallFilter", "@setuid @chown chroot")
}
