package systemd

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/program"
)

// Without this the unit's own filter of system calls could keep Rouse from confining itself, and nobody would see it.
func TestShippedServiceIsConfined(t *testing.T) {
	needsSystemd(t)
	since := time.Now()
	client := program.Client(t, shipped(t, "[Service]\nEnvironment=SERVER_LOG_LEVEL=info SERVER_METRICS=true\n")).HTTP2
	if _, err := client.Get(httpsURL); err != nil {
		t.Fatal(err)
	}
	waitSaid(t, since, "6", "confined by Landlock: ")
	said := run(t, "journalctl", "-o", "cat", "-u", "rouse.service")
	if strings.Contains(said, "not confined by Landlock") {
		if strings.Contains(said, "refuses it") {
			t.Errorf("the unit's filter refuses Landlock:\n%s", said)
		}
		t.Skip("this kernel has no Landlock")
	}
	if !strings.Contains(said, "/run/credentials") {
		t.Errorf("the credentials are out of reach:\n%s", said)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", mainPID(t)))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"CapPrm:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1"} {
		if !strings.Contains(string(status), line+"\n") {
			t.Errorf("%s is not in its status:\n%s", line, status)
		}
	}
}
