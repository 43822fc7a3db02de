package wake

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A daemon as in daemon(7): the first process ends with 0, and the one that serves has a session of its own.
const daemon = `setsid sh -c "trap 'exit 0' TERM; trap 'echo HUP >>DIR/got' HUP; echo \$\$ >>DIR/up; while :; do sleep 0.02; done" & exit 0`

func TestDaemonInASessionOfItsOwn(t *testing.T) {
	s := play(t, daemon)
	s.pace.farewell = 20 * time.Millisecond
	s.lasting()
	s.says("goes on in the background")
	s.send(syscall.SIGHUP)
	s.wrote("got", 1)
	s.send(syscall.SIGTERM)
	s.endsWith(0)
}

func TestStubbornDaemonIsKilled(t *testing.T) {
	s := play(t, strings.ReplaceAll(daemon, "'exit 0' TERM;", "'' TERM; sleep 60 &"))
	s.pace.farewell, s.StopTimeout = 20*time.Millisecond, 50*time.Millisecond
	s.lasting()
	s.says("goes on in the background")
	s.send(syscall.SIGTERM)
	s.endsWith(0)
	s.nothingLeft()
}

func TestOverlapOfDaemons(t *testing.T) {
	s := play(t, daemon)
	s.Reload, s.pace.farewell = ReloadOverlap, 20*time.Millisecond
	s.lasting()
	s.says("goes on in the background")
	old := readPid(t, s.dir+"/up")
	s.script.mute.Store(true)
	os.Remove(s.dir + "/up")
	s.send(syscall.SIGHUP)
	s.up(1)
	young := readPid(t, s.dir+"/up")
	eventually(t, "the new one goes to the background", func() bool { return strings.Count(s.log.String(), "in the background") == 2 })
	close(s.script.instance(1).ready)
	await(t, s.script.instance(0).gone, "the end of the old one")
	eventually(t, "the old one is reaped", func() bool { return !exists(old) })
	if !exists(young) {
		t.Error("the new one was ended too")
	}
	s.send(syscall.SIGTERM)
	s.endsWith(0)
	s.nothingLeft()
}

func TestWhatOutlivesTheMainProcessIsToldToEnd(t *testing.T) {
	s := play(t, `(trap 'exit 0' TERM; echo up >>DIR/up; while :; do sleep 0.02; done) & while [ ! -e DIR/up ]; do sleep 0.02; done; exec sleep 60`)
	s.StopTimeout = time.Hour
	s.lasting()
	s.send(syscall.SIGTERM)
	s.endsWith(0)
}

func TestSuspendedProgramIsStopped(t *testing.T) {
	s := play(t, obeys)
	s.StopTimeout = time.Hour
	s.lasting()
	s.family.signal(s.script.instance(0).main, syscall.SIGSTOP)
	s.send(syscall.SIGTERM)
	s.endsWith(0)
}
