package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Options that mean nothing are refused: 2 where the command line alone is wrong, else 78, and 127 for a program that is not there.
func TestInetdRefusesOptions(t *testing.T) {
	for _, c := range []struct {
		env, args string
		code      int
		want      string
	}{
		{"", "", exitUsage, "rouse inetd needs a program"},
		{"", "--", exitUsage, "rouse inetd needs a program"},
		{"", "--max-instnces 5 true", exitUsage, "(did you mean --max-instances?): rouse inetd --help"},
		{"", "--rate 5 true", exitUsage, "not a rate such as 100/1s"},
		{"", "--rate 0/1s true", exitUsage, "not a rate"},
		{"", "--rate 5/soon true", exitUsage, "not a rate"},
		{"", "--stderr file true", exitUsage, "not one of log, client, null"},
		{"", "--user no-such-user true", exitUsage, "there is no user of that name"},
		{"", "--group no-such-group true", exitUsage, "there is no group of that name"},
		{"", "--limit nofiles=3 true", exitUsage, "--limit nofiles=3"},
		{"", "--services none.conf", exitConfig, "there is no such file"},
		{"", "--services /dev/null", exitConfig, "/dev/null: there is no service in it"},
		{"", "--listen tcp:127.0.0.1:0 --directory /no/such true", exitConfig, "the folder /no/such to start in is not there"},
		{"", "--services none.conf true", exitUsage, "names the programs: leave true out"},
		{"", "--services none.conf --user root", exitUsage, "exclude each other"},
		{"", "--listen tcp:1 --fd 0 true", exitUsage, "exclude each other"},
		{"", "--listen nowhere true", exitUsage, "--listen"},
		{"", "--listen tcp:127.0.0.1:0 no-such-program", 127, "is not in PATH"},
		{"ROUSE_INETD_RATE=5", "true", exitConfig, "ROUSE_INETD_RATE=5: not a rate"},
		{"", "true", exitConfig, "no socket was passed"},
	} {
		t.Run(c.env+" "+c.args, func(t *testing.T) {
			var env []string
			if c.env != "" {
				env = []string{c.env}
			}
			code, out, errs := rouse(t, env, append([]string{"inetd"}, strings.Fields(c.args)...)...)
			if code != c.code || out != "" || !strings.Contains(errs, c.want) || strings.Count(errs, "\n") != 1 {
				t.Errorf("%d, %s, want %d, %s", code, errs, c.code, c.want)
			}
		})
	}
}

// What is wrong with the services of a file is told by --check, all of it with its line.
func TestInetdChecksServices(t *testing.T) {
	file := filepath.Join(t.TempDir(), "inetd.conf")
	if err := os.WriteFile(file, []byte("8 stream tcp nowait root /no/such/program x\n\n9 stream tcp nowait root /etc/passwd x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := rouse(t, nil, "inetd", "--check", "--services", file)
	lines := strings.Split(errs, "\n")
	if code != exitConfig || out != "" || len(lines) != 3 || !strings.Contains(lines[0], file+":1: 8: /no/such/program is not there") || !strings.Contains(lines[1], file+":3: 9: /etc/passwd cannot be executed") {
		t.Errorf("%d, %s%s", code, out, errs)
	}
}

func TestInetdOptionsReachTheService(t *testing.T) {
	i, s := inetdOptions()
	command, err := s.read(strings.Fields("--listen tcp:127.0.0.1:0 --max-instances 20 --per-client 3 --rate 100/1s --client-rate 5/1m --time-limit 30s --limit nofile=64:128 --user 65534 --groups 7,8 --stderr null -- true -x"))
	if err != nil {
		t.Fatal(err)
	}
	entries, _, err := i.services(s, command)
	if err != nil || len(entries) != 1 || len(entries[0].Addresses) != 1 {
		t.Fatalf("%+v, %v", entries, err)
	}
	one := entries[0].Service
	if !slices.Equal(one.Command, []string{"true", "-x"}) || one.Most != 20 || one.PerClient != 3 || one.Rate.Number != 100 || one.Rate.Within != time.Second ||
		one.ClientRate.Within != time.Minute || one.Time != 30*time.Second || len(one.Limits) != 1 || one.Limits[0].Hard != 128 || *one.User != 65534 ||
		!slices.Equal(one.Groups, []uint32{7, 8}) || one.Stderr != "null" || !strings.HasSuffix(one.Path, "/true") {
		t.Errorf("%+v", one)
	}
}
