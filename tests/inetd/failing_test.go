package inetd

import (
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/program"
)

// Without this a mistake in the configuration would cost the port: inetd starts a program in wait mode again at once as long
// as a client waits, and gives the service up when that spins. A second for each failing start keeps it, and its clients.
func TestFailingStartInWaitModeDoesNotSpin(t *testing.T) {
	listener, _ := program.Listener(t)
	begun := time.Now()
	p := program.Start(t, program.Run{
		Args:  []string{"serve", "--root", "/nowhere"},
		Stdin: listener, Stdout: listener, Stderr: listener,
	})
	if code := p.Wait(10 * time.Second).ExitCode(); code != 78 {
		t.Errorf("exit code %d, want 78", code)
	}
	if took := time.Since(begun); took < 900*time.Millisecond {
		t.Errorf("it failed within %s", took)
	}
}
