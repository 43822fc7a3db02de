package tickets

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
)

// FuzzParse reads what came back from the manager's store, which another version, or somebody else, may have put there: what is
// taken is written again as it was, is never too much, and is not shown.
func FuzzParse(f *testing.F) {
	k := Keys{}.Renewed(time.Unix(1, 0))
	f.Add(k.Bytes())
	f.Add(k.Renewed(time.Unix(1<<31, 0)).Bytes())
	f.Add([]byte(head))
	f.Add([]byte("rouse ticket keys 2\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		k, err := Parse(text)
		if err != nil {
			return
		}
		if !bytes.Equal(k.Bytes(), text) || len(text) > Size || len(k.Secrets()) < 1 || len(k.Secrets()) > most {
			t.Errorf("%d keys of %d bytes, written as %d", len(k.Secrets()), len(text), len(k.Bytes()))
		}
		if said := fmt.Sprintf("%v %+v %#v %s", k, k, k, k); strings.Count(said, "ticket keys") != 4 {
			t.Errorf("%q", said)
		}
		for _, now := range []time.Time{time.Unix(0, 0), time.Unix(1<<40, 0)} {
			if renewed := k.Renewed(now); len(renewed.Secrets()) > most || renewed.Newest() != now.Unix() {
				t.Errorf("%d keys, the newest of %d", len(renewed.Secrets()), renewed.Newest())
			}
		}
	})
}
