package process

import (
	"strings"
	"testing"
)

// The lines of /proc have names in them that a program chooses.
func FuzzLines(f *testing.F) {
	for _, line := range []string{
		"tfd: 5 events: 2019 data: ffffffffffffffff pos:0 ino:61af sdev:7",
		"42 (a) name)) S 7 42 42 0",
		"0: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000 0 0 4242 1",
		"0: 00000000000000000000000001000000:0050 0:0 01 0 0 0 0 0 7",
		"ffff8880: 00000003 00000000 00000000 0001 03 4242 /run/a name",
		"socket:[4242]", "", ")", "tfd: 1 events: x data:",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if target, _, _, ok := registration(line); ok && !strings.HasPrefix(strings.TrimSpace(line), "tfd:") {
			t.Errorf("descriptor %d in %q", target, line)
		}
		if e, ok := tcpEntry(line); ok && !e.local.IsValid() {
			t.Errorf("%q: %+v", line, e)
		}
		if e, ok := unixEntry(line); ok && (e.connected && e.name == "" || !strings.Contains(line, e.name)) {
			t.Errorf("%q: %+v", line, e)
		}
		if _, ok := socketInode(line); ok && !strings.HasPrefix(line, "socket:[") {
			t.Errorf("%q is a socket", line)
		}
		parentIn(line)
	})
}
