package inetd

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// socketActivate starts rouse under systemd-socket-activate(1) with a listener on each host, and on a unix socket for "".
// The environment gets to rouse only as far as -E names it.
func socketActivate(t *testing.T, hosts, options, args []string) (*program.Process, []service) {
	t.Helper()
	if _, err := exec.LookPath("systemd-socket-activate"); err != nil {
		t.Skip("no systemd-socket-activate (Debian: systemd)")
	}
	path := filepath.Join(program.ShortDir(t), "s")
	tcp := slices.DeleteFunc(slices.Clone(hosts), func(host string) bool { return host == "" })
	var services []service
	p, _ := onFreePorts(t, tcp, func(addresses []string) *program.Process {
		words := append([]string{"systemd-socket-activate"}, options...)
		services = nil
		for _, host := range hosts {
			s := service{network: "unix", address: path}
			if host != "" {
				s.network, s.address = "tcp", addresses[0]
				addresses = addresses[1:]
			}
			services = append(services, s)
			words = append(words, "--listen="+s.address)
		}
		return program.Start(t, program.Run{Through: words, Args: args})
	})
	for i := range services {
		services[i].starts = starts{p.Stderr.String, regexp.MustCompile(`as PID (\d+)\.`), regexp.MustCompile(`Child (\d+) died with code (\d+)`)}
		await(t, "a listener on "+services[i].address, func() bool { return holdsListener(p.Pid, services[i].address) })
	}
	return p, services
}

// Sockets named http and https in their socket units would both speak the same, and options given with -E would be lost.
func TestSocketActivateWithNames(t *testing.T) {
	t.Parallel()
	certFile, keyFile, pool := program.KeyPair(t, t.TempDir())
	options := []string{"--fdname=http:https:https:local", "-ESERVER_ROOT=" + site(t), "-ESERVER_IDLE_EXIT=1s",
		"-ESERVER_TLS_CERT=" + certFile, "-ESERVER_TLS_KEY=" + keyFile}
	p, services := socketActivate(t, []string{"127.0.0.1", "127.0.0.1", "127.0.0.1", ""}, options, []string{"serve"})
	for i := range services[1:] {
		services[1+i].pool = pool // the one named local, too: with TLS configured that is what has no other role
	}
	askAll(t, services)
	if code := p.Wait(limit).ExitCode(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	has(t, p.Stderr, "http://"+services[0].address+" from systemd:http (descriptor 3)",
		"https://"+services[1].address+" from systemd:https[0] (descriptor 4)",
		"https://"+services[2].address+" from systemd:https[1] (descriptor 5)",
		"https on "+services[3].address+" from systemd:local (descriptor 6)")
}

// Without FileDescriptorName= nothing but the options can tell what sockets are for.
func TestSocketActivateWithoutNames(t *testing.T) {
	t.Parallel()
	p, services := socketActivate(t, []string{"127.0.0.1", ""}, nil, []string{"serve", "--root=" + site(t), "--idle-exit=1s"})
	askAll(t, services)
	if code := p.Wait(limit).ExitCode(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// --inetd passes the listening socket as descriptors 0 and 1, and no LISTEN_FDS; standard error stays the terminal's.
func TestSocketActivateInetd(t *testing.T) {
	t.Parallel()
	args := []string{"serve", "--root=" + site(t), "--idle-exit=1s", "--log-level=trace"}
	p, services := socketActivate(t, []string{"127.0.0.1"}, []string{"--inetd"}, args)
	first := services[0].dial(t)
	askAll(t, services)
	checkPlainWire(t, first)
	if code := p.Wait(limit).ExitCode(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	has(t, p.Stderr, "from inetd: (descriptor 0)", " GET 200 / ")
}

// Accept=yes, as LISTEN_FDS=1 and as descriptors 0 and 1: each connection has its own process.
func TestSocketActivateAccept(t *testing.T) {
	t.Parallel()
	certFile, keyFile, pool := program.KeyPair(t, t.TempDir())
	tls := []string{"--tls-cert=" + certFile, "--tls-key=" + keyFile}
	for _, c := range []struct {
		name    string
		options []string
		args    []string
	}{
		{"LISTEN_FDS", []string{"-a"}, nil},
		{"LISTEN_FDS with a name", []string{"-a", "--fdname=https"}, tls},
		{"inetd", []string{"-a", "--inetd"}, nil},
		{"inetd over TLS", []string{"-a", "--inetd"}, tls},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"serve", "--root=" + site(t), "--log-level=trace"}, c.args...)
			_, services := socketActivate(t, []string{"127.0.0.1"}, c.options, args)
			if s := services[0]; c.args != nil {
				s.pool = pool
				s.checkNowait(t)
				return
			}
			services[0].checkNowait(t)
			checkPlainWire(t, services[0].dial(t))
		})
	}
}

// Whoever wonders why a socket does not answer would have nothing to ask.
func TestSocketsUnderSocketActivate(t *testing.T) {
	t.Parallel()
	p, services := socketActivate(t, []string{"127.0.0.1", "127.0.0.1", ""}, []string{"--fdname=web:web:http"}, []string{"sockets", "--json"})
	services[0].dial(t)
	if code := p.Wait(limit).ExitCode(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	var told struct {
		Sockets []struct {
			Number                        int
			Name, Source, Address, Family string
			Kind, State, Serve            string
		}
	}
	if err := json.Unmarshal([]byte(p.Stdout.String()), &told); err != nil || len(told.Sockets) != 3 {
		t.Fatalf("%v in %s", err, p.Stdout)
	}
	for i, source := range []string{"systemd:web[0]", "systemd:web[1]", "systemd:http"} {
		s := told.Sockets[i]
		if s.Number != 3+i || s.Source != source || s.Address != services[i].address || s.Kind != "listener" || s.State != "listening" || s.Serve != "speak http" {
			t.Errorf("socket %d: %+v", i, s)
		}
	}
}
