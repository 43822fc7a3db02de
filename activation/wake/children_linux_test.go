package wake

import (
	"os"
	"syscall"
	"testing"

	"github.com/rouse-server/rouse/platform/process"
)

func TestOrphansBecomeOursAndAreReaped(t *testing.T) {
	family := newFamily(t)
	file := t.TempDir() + "/pid"
	one := family.shell(t, "(sh -c 'echo $$ >"+file+"; exec sleep 60' &) ; exit 0")
	await(t, one.ended, "the end of the parent")
	orphan := readPid(t, file)
	eventually(t, "the orphan is ours", func() bool { return process.Parent(orphan) == os.Getpid() })
	syscall.Kill(orphan, syscall.SIGKILL)
	eventually(t, "the orphan is reaped", func() bool { return !exists(orphan) })
}

func TestOnlyOurChildrenAreStrangers(t *testing.T) {
	family := newFamily(t)
	family.shell(t, "exec sleep 60")
	for pid := range ownChildren() {
		if process.Parent(pid) != os.Getpid() {
			t.Errorf("%d is no child of ours", pid)
		}
	}
}
