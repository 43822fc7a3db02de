package faults

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// What testssl.sh says of protocols, ciphers and known weaknesses is no worse than "LOW".
func TestOutTestSSL(t *testing.T) {
	root := os.Getenv("ROUSE_TEST_TESTSSL")
	if !isLong() {
		return // it takes a minute
	}
	if root == "" {
		t.Skip("no testssl.sh, which tests/setup.sh gets")
	}
	s := outStart(t, "lane", "--root", filepath.Join(outSite(t), "site"))
	report := filepath.Join(t.TempDir(), "report.json")
	cmd := exec.CommandContext(t.Context(), "bash", filepath.Join(root, "usr/bin/testssl"), "--quiet", "--warnings=batch", "--nodns=none", "--color=0", "--jsonfile="+report, "-p", "-s", "-f", "-U", s.secure)
	tools := t.TempDir() // it insists on a tool that looks names up, and is given an address
	outMust(t, os.WriteFile(filepath.Join(tools, "host"), []byte("#!/bin/sh\nexit 1\n"), 0o755))
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":"+tools, "TESTSSL_INSTALL_DIR="+filepath.Join(root, "etc/testssl"))
	cmd.WaitDelay = time.Second
	said, _ := cmd.CombinedOutput() // its status counts what it found
	text, err := os.ReadFile(report)
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	var found []struct{ ID, Severity, Finding string }
	if err := json.Unmarshal(text, &found); err != nil || len(found) < 20 {
		t.Fatalf("%d findings, %v\n%s", len(found), err, said)
	}
	for _, one := range found {
		if slices.Contains([]string{"MEDIUM", "HIGH", "CRITICAL", "FATAL"}, one.Severity) && !strings.HasPrefix(one.ID, "engine_problem") {
			t.Errorf("%s: %s: %s", one.Severity, one.ID, one.Finding)
		}
	}
	tell(t, row{Kind: "out", What: "testssl.sh", Tried: "protocols, ciphers, forward secrecy, known weaknesses", Rouse: "nothing worse than low"})
}
