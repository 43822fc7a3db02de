package server

import (
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rouse-server/rouse/server/reply"
)

// A reply that was made for a client who left meanwhile is not kept for others: parts that take time may be left out of it.
func TestNothingIsKeptForClientsWhoLeft(t *testing.T) {
	w := site(t, map[string]string{"a.txt": "a"}, func(c *Config, dir string) {
		then := time.Now().Add(-time.Hour)
		if err := os.Chtimes(filepath.Join(dir, "a.txt"), then, then); err != nil {
			t.Fatal(err)
		}
	})
	serving := w.serving.Load()
	left, leave := context.WithCancel(t.Context())
	leave()
	ask := func(ctx context.Context) reply.Finding {
		plain := reply.Request{Target: []byte("/a.txt"), Host: []byte("a")}
		kept, finding := serving.replies.Find(&plain, w.clock())
		request, err := plain.HTTP(ctx)
		if err != nil {
			t.Fatal(err)
		}
		recording := serving.replies.Record(&plain, kept, finding, httptest.NewRecorder())
		if _, complete := run(serving.counted, &recorder{ResponseWriter: recording}, request, recording); !complete {
			t.Fatal("the handler did not end")
		}
		return finding
	}
	eventually(t, "what has just changed is kept", func() bool { return ask(t.Context()) == reply.Good })
	w = site(t, map[string]string{"a.txt": "a"}, nil)
	time.Sleep(25 * time.Millisecond) // the case itself: a file that has just changed may change again unnoticed
	serving = w.serving.Load()
	for range 10 {
		if ask(left) == reply.Good {
			t.Fatal("it is kept")
		}
	}
}
