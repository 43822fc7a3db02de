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
