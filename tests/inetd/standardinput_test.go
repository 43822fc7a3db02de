package inetd

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// Supervisors in the manner of s6 and daemontools pass a listening socket as standard input and nothing else. A client
// that came before the program would not be answered.
func TestListenerOnStandardInput(t *testing.T) {
	t.Parallel()
	for name, listen := range listeners() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file, svc := listen(t)
			waiting := svc.dial(t)
			p := program.Start(t, program.Run{Args: []string{"serve", "--root=" + site(t), "--idle-exit=1s", "--log-level=info"}, Stdin: file})
			askAll(t, []service{svc})
			checkPlainWire(t, waiting)
			if code := p.Wait(limit).ExitCode(); code != 0 {
				t.Errorf("exit code %d", code)
			}
			has(t, p.Stderr, "from inetd: (descriptor 0)", " GET 200 / ", "idle for 1s")
		})
	}
}

// With the listening socket as standard output and error too, the first log line ended the program: the Go runtime dies of
// SIGPIPE there, and inetd starts it again for ever.
func TestListenerOnAllStandardDescriptors(t *testing.T) {
	t.Parallel()
	for name, listen := range listeners() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file, svc := listen(t)
			p := program.Start(t, program.Run{Args: []string{"serve", "--root=" + site(t), "--idle-exit=1s", "--log-level=trace"}, Stdin: file, Stdout: file, Stderr: file})
			checkPlainWire(t, svc.dial(t))
			if state := p.Wait(limit); state.ExitCode() != 0 {
				t.Errorf("ended by %v", state)
			}
		})
	}
}

// listeners returns functions that open a listening socket of each family.
func listeners() map[string]func(testing.TB) (*os.File, service) {
	at := func(network, host string) func(testing.TB) (*os.File, service) {
		return func(t testing.TB) (*os.File, service) {
			if network == "unix" {
				file, path := program.UnixListener(t)
				return file, service{network: network, address: path}
			}
			needHost(t, host)
			file, address := program.ListenerAt(t, network, net.JoinHostPort(host, "0"))
			return file, service{network: network, address: address}
		}
	}
	return map[string]func(testing.TB) (*os.File, service){"IPv4": at("tcp", "127.0.0.1"), "IPv6": at("tcp", "::1"), "unix": at("unix", "")}
}

// An inetd of another kind passes one accepted connection, as standard input or as all three.
func TestConnectionOnStandardInput(t *testing.T) {
	t.Parallel()
	for name, pair := range connections() {
		for _, all := range []bool{false, true} {
			t.Run(name+map[bool]string{false: " on 0", true: " on 0, 1 and 2"}[all], func(t *testing.T) {
				server, client := pair(t)
				run := program.Run{Args: []string{"serve", "--root=" + site(t), "--log-level=trace"}, Stdin: server}
				if all {
					run.Stdout, run.Stderr = server, server
				}
				p := program.Start(t, run)
				server.Close() // or the client would not see the end
				checkPlainWire(t, client)
				if code := p.Wait(limit).ExitCode(); code != 0 {
					t.Errorf("exit code %d", code)
				}
			})
		}
	}
}

// A client that has gone before the program looks would be taken for a broken configuration.
func TestConnectionThatIsGone(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(testing.TB, net.Conn){
		"closed": func(_ testing.TB, c net.Conn) { c.Close() },
		"reset": func(t testing.TB, c net.Conn) {
			if err := c.(*net.TCPConn).SetLinger(0); err != nil { // socket(7): an error for the peer instead of an end
				t.Fatal(err)
			}
			c.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			server, client := program.ConnectionPair(t)
			leave(t, client)
			p := program.Start(t, program.Run{Args: []string{"serve", "--root=" + site(t)}, Stdin: server, Stdout: server})
			if code := p.Wait(limit).ExitCode(); code != 0 || p.Stderr.String() != "" {
				t.Errorf("exit code %d, stderr %q", code, p.Stderr)
			}
		})
	}
}

// connections returns functions that open a connection, whose server end has a name: the address that was listened on.
func connections() map[string]func(testing.TB) (*os.File, net.Conn) {
	return map[string]func(testing.TB) (*os.File, net.Conn){
		"TCP": func(t testing.TB) (*os.File, net.Conn) {
			server, client := program.ConnectionPair(t)
			return server, client
		},
		"unix": func(t testing.TB) (*os.File, net.Conn) {
			listener, err := net.Listen("unix", filepath.Join(program.ShortDir(t), "s"))
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			client := service{network: "unix", address: listener.Addr().String()}.dial(t)
			accepted, err := listener.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer accepted.Close()
			server, err := accepted.(*net.UnixConn).File()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { server.Close() })
			return server, client
		},
	}
}
