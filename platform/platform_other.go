//go:build !linux

package platform

import "golang.org/x/sys/unix"

// familyOf knows nothing: there is no SO_DOMAIN outside Linux, and the address gave no family.
func familyOf(int) Family { return "unknown" }

func protocol(_ int, s Socket) string { return usualProtocol(s) }

// listening believes a stream socket without a peer to be a listener: SO_ACCEPTCONN cannot be asked on macOS
// (dotnet/runtime#34986), and neither launchd nor inetd passes anything else.
func listening(_ int, kind string) bool { return kind == Stream || kind == Seqpacket }

func duplicate(from, to int) error { return unix.Dup2(from, to) }

func openFile(int) string { return "" }

func pidfdID() (uint64, bool) { return 0, false }

func portHolder(int) string { return "" }
