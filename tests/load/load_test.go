package load

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// What is lost on the way must be counted, or drills that lose requests would pass.
func TestCountsWhatIsLost(t *testing.T) {
	var requests atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if requests.Add(1)%10 == 0 {
			panic(http.ErrAbortHandler)
		}
	}))
	server.Config.ErrorLog = nil
	defer server.Close()
	connect := func() (net.Conn, error) { return net.Dial("tcp", strings.TrimPrefix(server.URL, "http://")) }
	var l Load
	l.KeepConnections(2, connect)
	l.NewConnections(2, connect)
	l.Await(t, 100, 30*time.Second)
	answered, lost := l.End()
	if total := answered + int64(len(lost)); total != requests.Load() || len(lost) != int(requests.Load()/10) {
		t.Errorf("%d answered, %d lost of %d requests", answered, len(lost), requests.Load())
	}
}
