package tickets

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"
)

func start() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

// Without this a client that comes back the next day could not resume, or one key would protect all sessions for ever.
func TestKeysRotateAsThoseOfCryptoTLS(t *testing.T) {
	now := start()
	var k Keys
	if !k.Due(now).Equal(now) {
		t.Error("without any key none is due")
	}
	var made [][32]byte
	for day := range 20 {
		if k = k.Renewed(now); !k.Due(now).Equal(now.Add(24 * time.Hour)) {
			t.Errorf("day %d: the next is due at %s", day, k.Due(now))
		}
		made = slices.Insert(made, 0, k.Secrets()[0])
		if got, want := k.Secrets(), made[:min(7, len(made))]; !slices.Equal(got, want) {
			t.Errorf("day %d: %d keys, want the last %d", day, len(got), len(want))
		}
		now = now.Add(24 * time.Hour)
	}
	if distinct := slices.Compact(slices.SortedFunc(slices.Values(made), func(a, b [32]byte) int { return bytes.Compare(a[:], b[:]) })); len(distinct) != 20 {
		t.Errorf("%d different keys of 20", len(distinct))
	}
}

// A clock that was set back must neither stop the rotation nor let the keys become more and more.
func TestClockGoesBack(t *testing.T) {
	now := start()
	k := Keys{}.Renewed(now)
	for range 30 {
		now = now.Add(-time.Hour)
		if !k.Due(now).Equal(now) {
			t.Error("none is due")
		}
		k = k.Renewed(now)
	}
	if n := len(k.Secrets()); n != most || len(k.Bytes()) != Size {
		t.Errorf("%d keys in %d bytes", n, len(k.Bytes()))
	}
}

// The next process has to understand the one before, and nothing else.
func TestParse(t *testing.T) {
	k := Keys{}.Renewed(start()).Renewed(start().Add(time.Hour))
	again, err := Parse(k.Bytes())
	if err != nil || !slices.Equal(again.keys, k.keys) || again.Newest() != start().Add(time.Hour).Unix() {
		t.Errorf("%d keys again, %v", len(again.keys), err)
	}
	for _, wrong := range [][]byte{nil, []byte(head), []byte("other"), k.Bytes()[:99], append(k.Bytes(), 0), append(k.Bytes(), make([]byte, most*recordSize)...)} {
		if _, err := Parse(wrong); err == nil {
			t.Errorf("%d bytes were taken for keys", len(wrong))
		}
	}
}

// A key in a log would undo the secrecy of all sessions.
func TestKeysAreNeverPrinted(t *testing.T) {
	k := Keys{}.Renewed(start())
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(format, k); got != "ticket keys" {
			t.Errorf("%s: %q", format, got)
		}
	}
}
