package process

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// Programs whose system calls have other numbers are found out, also behind scripts.
func TestMachine(t *testing.T) {
	if runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		t.Skipf("nothing is known about %s", runtime.GOARCH)
	}
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	program := func(class, order byte, machine string) string {
		return "\x7fELF" + string([]byte{class, order, 1}) + strings.Repeat("\x00", 9) + "\x02\x00" + machine + strings.Repeat("\x00", 44)
	}
	native, other := "\x3e\x00", "\xb7\x00" // EM_X86_64, EM_AARCH64
	if runtime.GOARCH == "arm64" {
		native, other = other, native
	}
	i386 := file("i386", program(1, 1, "\x03\x00"))
	loop := filepath.Join(dir, "loop")
	for _, c := range []struct{ path, want string }{
		{file("native", program(2, 1, native)), ""},
		{file("x32", program(1, 1, "\x3e\x00")), "32-bit program for X86_64"},
		{file("other", program(2, 1, other)), "64-bit program for"},
		{file("big", program(2, 2, "\x00\x16")), "64-bit program for S390"},
		{i386, "32-bit program for 386"},
		{file("script", "#! "+i386+" -x\nexit\n"), "32-bit program for 386"},
		{file("twice", "#!"+filepath.Join(dir, "script")), "32-bit program for 386"},
		{file("loop", "#!"+loop), ""},
		{file("none", "#!\n"), ""},
		{file("text", "echo hello\n"), ""},
		{file("empty", ""), ""},
		{filepath.Join(dir, "missing"), ""},
	} {
		err := Machine(c.path)
		if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", filepath.Base(c.path), err, c.want)
		}
	}
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := Machine(own); err != nil {
		t.Errorf("this program: %v", err)
	}
}
