package platform

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// What is kept there is secret, and the next process believes it: neither may others read it, nor anybody change it.
func TestSealedIsPrivateAndStays(t *testing.T) {
	fd, err := Sealed("test", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	got, err := ReadSealed(fd, 6)
	if string(got) != "secret" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
	if _, err := ReadSealed(fd, 5); err == nil {
		t.Error("more than the limit was read")
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Mode&0o777 != 0o600 {
		t.Errorf("mode %o, %v", st.Mode&0o777, err)
	}
	if _, err := unix.Pwrite(fd, []byte("x"), 0); err != unix.EPERM {
		t.Errorf("write: %v", err)
	}
	if err := unix.Ftruncate(fd, 1); err != unix.EPERM {
		t.Errorf("truncate: %v", err)
	}
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("not closed on exec: %x, %v", flags, err)
	}
}

// Without this anything that somebody put in its place would be taken for keys.
func TestOnlySealedIsRead(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	open, err := unix.MemfdCreate("open", unix.MFD_ALLOW_SEALING|unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(open)
	for _, fd := range []int{int(f.Fd()), open} {
		if got, err := ReadSealed(fd, 10); err == nil {
			t.Errorf("read %q", got)
		}
	}
}
