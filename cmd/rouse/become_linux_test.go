package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/rouse-server/rouse/activation/route"
)

// Who becomes another user has that one's groups alone.
func TestBecome(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root becomes another user")
	}
	const variable = "ROUSE_TEST_BECOME"
	for name, c := range map[string]struct {
		who  route.Identity
		want string
	}{
		"user":   {route.Identity{User: 4711, Group: asItIs}, "4711 0 []"},
		"group":  {route.Identity{User: asItIs, Group: 4712}, "0 4712 [0 7]"},
		"groups": {route.Identity{User: 4711, Group: 4712, Groups: []uint32{9}}, "4711 4712 [9]"},
		"root":   {route.Identity{User: 4711, Group: 4712, Chroot: os.TempDir()}, "4711 4712 []"},
	} {
		if os.Getenv(variable) == name {
			if err := syscall.Setgroups([]int{0, 7}); err != nil {
				t.Fatal(err)
			}
			if err := become(&c.who); err != nil {
				t.Fatal(err)
			}
			groups, _ := syscall.Getgroups()
			if got := fmt.Sprint(syscall.Getuid(), " ", syscall.Getgid(), " ", groups); got != c.want {
				t.Errorf("it is %s, want %s", got, c.want)
			}
			return
		}
	}
	if os.Getenv(variable) != "" {
		t.Fatal("no such case")
	}
	for _, name := range []string{"user", "group", "groups", "root"} {
		child := exec.Command("/proc/self/exe", "-test.run=^TestBecome$")
		child.Env = append(os.Environ(), variable+"="+name)
		if out, err := child.CombinedOutput(); err != nil {
			t.Errorf("%s: %v, %s", name, err, out)
		}
	}
}
