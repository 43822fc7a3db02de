package wake

import (
	"testing"
	"time"
)

func TestPausesDoubleUpToAMinute(t *testing.T) {
	b := backoff{first: time.Second, most: time.Minute, settled: 10 * time.Second}
	for _, want := range []int{1, 2, 4, 8, 16, 32, 60, 60, 60} {
		if got := b.crashed(time.Second); got != time.Duration(want)*time.Second {
			t.Fatalf("pause %s, want %d s", got, want)
		}
	}
	if got := b.crashed(10 * time.Second); got != time.Second {
		t.Errorf("after a settled run: %s", got)
	}
}

func TestEndingWellIsNotPunishedAtOnce(t *testing.T) {
	b := backoff{first: time.Second, most: time.Minute, settled: 10 * time.Second}
	for range 20 {
		if got := b.ended(time.Millisecond, false); got != 0 {
			t.Fatalf("nobody waits, and the next start waits %s", got)
		}
	}
	for range freeEnds {
		if got := b.ended(time.Millisecond, true); got != 0 {
			t.Fatalf("pause %s too early", got)
		}
	}
	if got := b.ended(time.Millisecond, true); got != time.Second/10 {
		t.Errorf("pause %s, want 100ms", got)
	}
	if got := b.ended(0, true); got != time.Second {
		t.Errorf("pause %s without listening, want 1s", got)
	}
	if got := b.ended(time.Minute, true); got != 0 {
		t.Errorf("after a settled run: %s", got)
	}
}
