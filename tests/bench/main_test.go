package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestCommandLine(t *testing.T) {
	for _, test := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--help"}, 0, "-workload"},
		{[]string{"--workload", "plain-1k,nonsense"}, 2, `unknown workload "nonsense": there are plain-1k`},
		{[]string{"--peer", "nonsense"}, 2, `unknown peer "nonsense": there are rouse-off, nginx`},
		{[]string{"--server", "nonsense=/bin/true"}, 2, `how "nonsense" is started is not known`},
		{[]string{"--server", "nginx"}, 2, `is not name=path`},
		{[]string{"--rounds", "-1"}, 2, "--rounds -1"},
		{[]string{"quick"}, 2, `unexpected argument "quick"`},
	} {
		var stderr bytes.Buffer
		if code := command(test.args, &bytes.Buffer{}, &stderr); code != test.code {
			t.Errorf("%q: exit code %d, want %d", test.args, code, test.code)
		}
		if !strings.Contains(stderr.String(), test.says) {
			t.Errorf("%q: says %q, want %q in it", test.args, stderr.String(), test.says)
		}
	}
}

func TestChosenWorkloads(t *testing.T) {
	chosen, err := chooseWorkloads("cold-tls,plain-1k,run-new", false)
	if err != nil {
		t.Fatal(err)
	}
	load, cold := measuredIn(chosen, servers, false, coldStart), measuredIn(chosen, servers, true, coldStart)
	if len(load) != 1 || load[0].name != "plain-1k" || len(cold) != 1 || cold[0].name != "cold-tls" {
		t.Errorf("under load %v, cold %v", load, cold)
	}
	if quick, err := chooseWorkloads("", true); err != nil || len(quick) != strings.Count(quickWorkloads, ",")+1 {
		t.Errorf("quick: %v, %v", quick, err)
	}
}
