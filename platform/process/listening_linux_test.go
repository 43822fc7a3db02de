package process

import (
	"os"
	"strings"
	"testing"
)

const listeningRow = "0: 0100007F:1F90 00000000:0000 0A 00000000:00000003 00:00000000 00000000 0 0 4242 1"

// On a kernel without IPv6 there is no table of it.
func TestListeningWithoutIPv6(t *testing.T) {
	folder := t.TempDir() + "/"
	if _, err := listeningIn(folder); err == nil {
		t.Error("no tables, and no error")
	}
	if err := os.WriteFile(folder+"tcp", []byte("heading\n"+listeningRow+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	all, err := listeningIn(folder)
	if err != nil || len(all) != 1 || all[0].Address.String() != "127.0.0.1:8080" || all[0].Inode != 4242 || all[0].Queue != 3 {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestListeningEntry(t *testing.T) {
	const v6 = "0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 7 1"
	if got, ok := listeningEntry(v6); !ok || got.Address.String() != "[::1]:8080" {
		t.Errorf("%+v, %t", got, ok)
	}
	if _, ok := listeningEntry(strings.Replace(v6, " 0A ", " 01 ", 1)); ok {
		t.Error("a connection listens")
	}
}

// No line, however odd, gives a socket without address, or a panic.
func FuzzListeningEntry(f *testing.F) {
	f.Add(listeningRow)
	f.Add("0: 01:1F90 0 0A 0 0 0 0 0 1")
	f.Fuzz(func(t *testing.T, line string) {
		if l, ok := listeningEntry(line); ok && !l.Address.IsValid() {
			t.Errorf("%q: %+v", line, l)
		}
	})
}
