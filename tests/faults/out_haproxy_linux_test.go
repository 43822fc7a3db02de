package faults

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/program"
)

// outHAProxy starts a real HAProxy in front of a server, and returns its address and the lines of its log: what was asked for and
// with which status it was answered, by the server alone.
func outHAProxy(t *testing.T, backend string) (address string, lines func() []string) {
	t.Helper()
	root := os.Getenv("ROUSE_TEST_HAPROXY")
	if root == "" {
		t.Skip("no HAProxy here; tests/setup.sh gets one")
	}
	log, err := net.ListenPacket("udp", "127.0.0.1:0")
	outMust(t, err)
	t.Cleanup(func() { log.Close() })
	var mu sync.Mutex
	var seen []string
	go func() {
		line := make([]byte, 64<<10)
		for {
			n, _, err := log.ReadFrom(line)
			if err != nil {
				return
			}
			mu.Lock()
			_, text, _ := strings.Cut(string(line[:n]), "|")
			seen = append(seen, strings.TrimSpace(text))
			mu.Unlock()
		}
	}()
	listener, at := program.Listener(t)
	config := filepath.Join(t.TempDir(), "haproxy.cfg")
	outMust(t, os.WriteFile(config, fmt.Appendf(nil, `global
  log %s local0
  maxconn 200
defaults
  mode http
  timeout connect 10s
  timeout client 10s
  timeout server 10s
  http-reuse always
  log global
  log-format "|%%s %%HM %%HU %%ST"
frontend f
  bind fd@3
  default_backend b
backend b
  server rouse %s
`, log.LocalAddr(), backend), 0o644))
	libraries, _ := filepath.Glob(filepath.Join(root, "usr/lib/*-linux-gnu*"))
	haproxy := program.Start(t, program.Run{Binary: filepath.Join(root, "usr/sbin/haproxy"), Args: []string{"-db", "-f", config}, Files: []*os.File{listener}, Env: []string{"LD_LIBRARY_PATH=" + strings.Join(libraries, ":")}})
	listener.Close()
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(haproxy.Stderr.String())
		}
	})
	return at, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(seen)
	}
}

// A proxy in front and Rouse see the same requests in the same bytes.
func TestOutBehindHAProxy(t *testing.T) {
	t.Parallel()
	dir := outSite(t)
	outWrite(t, dir, map[string]string{"site" + outSmuggled: outSmuggledText})
	for _, lane := range []string{"auto", "off"} {
		t.Run("lane="+lane, func(t *testing.T) {
			t.Parallel()
			s := outStart(t, lane, "--root", filepath.Join(dir, "site"), "--lane", lane, "--log-level=info", "--log-format=human", "--access-log-format=common")
			address, forwarded := outHAProxy(t, s.plain)
			cases := outSmuggling()
			for _, text := range cases {
				outSay(t, address, text)
			}
			outSay(t, address, "GET /last HTTP/1.1\r\nHost: site.test\r\nConnection: close\r\n\r\n")
			tally := func() (proxy, own []string) {
				for _, line := range forwarded() { // what is refused with 400 or 417 is no request yet, and not logged
					if fields := strings.Fields(line); len(fields) == 4 && fields[0] == "rouse" && !slices.Contains([]string{"400", "417", "-1"}, fields[3]) {
						proxy = append(proxy, strings.Join(fields[1:], " "))
					}
				}
				for line := range strings.Lines(s.Stdout.String() + s.Stderr.String()) {
					if before, after, ok := strings.Cut(line, `] "`); ok && strings.Contains(before, "[") {
						request, rest, _ := strings.Cut(after, `"`)
						if fields, status := strings.Fields(request), strings.Fields(rest); len(fields) > 1 && len(status) > 0 && status[0] != "400" {
							own = append(own, fields[0]+" "+fields[1]+" "+status[0])
						}
					}
				}
				slices.Sort(proxy)
				slices.Sort(own)
				return proxy, own
			}
			var proxy, own []string
			for end := time.Now().Add(outLimit); time.Now().Before(end); time.Sleep(20 * time.Millisecond) { // both write their logs when they come to it
				if proxy, own = tally(); len(own) > 10 && slices.Contains(proxy, "GET /last 404") && slices.Equal(proxy, own) {
					break
				}
			}
			if !slices.Equal(proxy, own) || len(own) < 10 {
				t.Errorf("HAProxy forwarded %d requests, and Rouse answered %d:\n%q\n%q", len(proxy), len(own), proxy, own)
			}
			tell(t, row{Kind: "out", What: "request smuggling behind HAProxy, --lane=" + lane, Tried: fmt.Sprintf("%d requests with a second one in them", len(cases)), Rouse: fmt.Sprintf("HAProxy forwards %d requests, Rouse sees the same %d", len(proxy), len(own))})
		})
	}
}
