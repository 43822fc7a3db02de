package run

import (
	"fmt"
	"strings"
	"testing"
)

// Without these a program that asks for sockets would find none, or those of somebody else.
func TestTranslate(t *testing.T) {
	t.Parallel()
	users(t, func(t *testing.T, through []string) {
		for _, c := range []struct {
			scheme    string
			arguments []string
			want      func(s *service, second string, pid int) []string
		}{
			{"systemd", []string{"-fd", "3"}, func(_ *service, _ string, pid int) []string {
				return []string{"LISTEN_FDS=2\n", fmt.Sprintf("LISTEN_PID=%d\n", pid), "LISTEN_FDNAMES=web:second\n"}
			}},
			{"nginx", []string{"-fd", "3"}, func(*service, string, int) []string { return []string{"NGINX=3;4;\n"} }},
			{"einhorn", []string{"-fd", "3"}, func(*service, string, int) []string {
				return []string{"EINHORN_FD_COUNT=2\n", "EINHORN_FD_0=3\n", "EINHORN_FD_1=4\n"}
			}},
			{"server-starter", []string{"-fd", "3"}, func(s *service, second string, _ int) []string {
				return []string{"SERVER_STARTER_PORT=" + s.address + "=3;" + second + "=4\n"}
			}},
			{"argv", []string{"-fd", "{fd:web}", "second is {fd:second}"}, nil},
			{"argv", []string{"-fd={fd}"}, nil},
		} {
			t.Run(c.scheme, func(t *testing.T) {
				s := newService(t)
				s.through = through
				second := ""
				if c.arguments[0] != "-fd={fd}" {
					second = s.hold("second", "127.0.0.1:0")
				}
				p := s.run("--as="+c.scheme, c.arguments...)
				pid := s.pid()
				if pid != p.Pid {
					t.Errorf("pid %d, and rouse's was %d", pid, p.Pid)
				}
				environment := s.ask("/environment")
				if c.want != nil {
					says(t, environment, c.want(s, second, pid)...)
				} else if second != "" {
					says(t, s.ask("/arguments"), "\nsecond is 4\n")
				}
				if c.scheme != "systemd" {
					silent(t, environment, "LISTEN_")
				}
				stop(t, p)
			})
		}
	})
}

// Without this programs made for inetd would accept on their terminal.
func TestTranslateToStandardInput(t *testing.T) {
	t.Parallel()
	s := newService(t)
	p := s.run("--as=inetd", "-fd", "0")
	silent(t, s.ask("/environment"), "LISTEN_")
	stop(t, p)
}

// Without this the real nginx would bind its port again, beside the socket that it was given.
func TestTranslateForNginx(t *testing.T) {
	t.Parallel()
	s := newService(t)
	command := append(nginx(t, s.address), "-g", "daemon off;")
	p := s.runProgram("--as=nginx", command...)
	says(t, s.ask("/"), s.address+" 127.0.0.1:")
	stop(t, p)
}

// Without this one would not see why the options do nothing: nobody is left to do it.
func TestTranslateAlone(t *testing.T) {
	t.Parallel()
	for _, option := range []string{"--idle-stop=1m", "--reload=overlap", "--reload=restart", "--stop-signal=INT", "--start-timeout=5s", "--no-io-uring"} {
		t.Run(option, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			p := s.run("--as=systemd "+option, "-fd", "3")
			exit(t, p, 78)
			if !strings.HasPrefix(option, "--reload") {
				option, _, _ = strings.Cut(option, "=")
			}
			oneLine(t, p, option)
		})
	}
}
