package run

import (
	"encoding/json"
	"testing"
)

// Without this one could only find out by trying what a server would get.
func TestExplain(t *testing.T) {
	t.Parallel()
	users(t, func(t *testing.T, through []string) {
		s := newService(t)
		s.through = through
		second := s.hold("second", "127.0.0.1:0")
		p := s.run("--explain --map=8080=web", "-tcp", s.other)
		exit(t, p, 0)
		says(t, p.Stdout.String(), "web", s.address, "second", second, "mode", "8080", child(t), "no_new_privs")
		silent(t, p.Stdout.String(), "serving as")
		if text := p.Stderr.String(); text != "" {
			t.Errorf("on stderr: %s", text)
		}
		want := "proxy"
		if noListener() == "" {
			want = "listener"
		}
		says(t, p.Stdout.String(), want)

		p = s.run("--explain --json --map=8080=web", "-tcp", s.other)
		exit(t, p, 0)
		var told struct {
			Command []string
			Path    string
			Mode    string
			Why     string
			Sockets []struct {
				Source, Name, Kind, Address string
				Number                      int
			}
		}
		if err := json.Unmarshal([]byte(p.Stdout.String()), &told); err != nil {
			t.Fatalf("%v in\n%s", err, p.Stdout.String())
		}
		if told.Mode != want || told.Path != child(t) || told.Why == "" || len(told.Command) != 3 || len(told.Sockets) != 2 {
			t.Errorf("%+v", told)
		} else if one := told.Sockets[0]; one.Name != "web" || one.Source != "systemd:web" || one.Address != s.address || one.Number != 3 || one.Kind != "listener" {
			t.Errorf("%+v", one)
		}
	})
}

// Without this --explain would be of no help just when it is needed.
func TestExplainOfWhatCannotBe(t *testing.T) {
	t.Parallel()
	s := &service{t: t}
	p := s.runProgram("--explain", "/nowhere/program")
	p.Wait(limit)
	says(t, p.Stdout.String()+p.Stderr.String(), "/nowhere/program", "no such file")
	p = s.run("--explain", "-tcp", "127.0.0.1:1")
	p.Wait(limit)
	says(t, p.Stdout.String()+p.Stderr.String(), "no socket")
}
