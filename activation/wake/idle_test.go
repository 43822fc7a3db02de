package wake

import (
	"testing"
	"time"
)

// Looking costs little of the time, however long one look takes.
func TestLooksRest(t *testing.T) {
	idle := quiet{span: time.Hour, since: time.Now()}
	asked := 0
	slow := func() bool {
		asked++
		time.Sleep(10 * time.Millisecond)
		return false
	}
	for range 3 {
		idle.look(slow)
	}
	if asked != 1 {
		t.Errorf("%d looks at once", asked)
	}
	idle.next = time.Time{}
	idle.since = time.Now().Add(-idle.span)
	if !idle.look(slow) {
		t.Error("nobody was there for long, and it was not seen")
	}
}

// Without this a program would stay long after its last client on a machine that is busy, where each look takes long.
func TestLooksDoNotRestForLong(t *testing.T) {
	idle := quiet{span: time.Millisecond, since: time.Now()}
	idle.look(func() bool {
		time.Sleep(longestRest/restful + 50*time.Millisecond)
		return true
	})
	if rests := time.Until(idle.next); rests > longestRest {
		t.Errorf("the next look is in %s", rests)
	}
}
