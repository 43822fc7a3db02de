package inetd

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// superServer is an inetd: it reads one line or block for its one service.
type superServer struct {
	path      string // below the folder of unpacked servers
	options   func(dir string) []string
	configure func(s socket, mode string, command []string) string
}

// socket is where the service is to be.
type socket struct{ host, port string }

func (s socket) ipv6() bool { return strings.Contains(s.host, ":") }

// modes of inetd.
const (
	wait   = "wait"   // the service gets the listening socket, serves until idle and exits
	nowait = "nowait" // the service gets one connection
)

func superServers() map[string]superServer {
	return map[string]superServer{
		"openbsd-inetd": {"usr/sbin/inetd", func(string) []string { return []string{"-d"} }, inetdLine(net.JoinHostPort)},
		"inetutils-inetd": {"usr/sbin/inetutils-inetd", func(dir string) []string {
			return []string{"-d", "-p" + filepath.Join(dir, "pid")}
		}, inetdLine(func(host, port string) string { return host + ":" + port })}, // ::1:8080, without brackets
		"xinetd": {"usr/sbin/xinetd", func(dir string) []string {
			return []string{"-dontfork", "-pidfile", filepath.Join(dir, "pid"), "-f"}
		}, xinetdBlock},
	}
}

// inetdLine writes a line of inetd.conf(5), whose address join joins.
func inetdLine(join func(host, port string) string) func(s socket, mode string, command []string) string {
	return func(s socket, mode string, command []string) string {
		protocol := "tcp4"
		if s.ipv6() {
			protocol = "tcp6"
		}
		return fmt.Sprintf("%s stream %s %s root %s %s\n", join(s.host, s.port), protocol, mode, command[0], strings.Join(command, " "))
	}
}

// xinetdBlock is a service of xinetd.conf(5).
func xinetdBlock(s socket, mode string, command []string) string {
	yes, flags := "no", "IPv4"
	if mode == wait {
		yes = "yes"
	}
	if s.ipv6() {
		flags = "IPv6"
	}
	return fmt.Sprintf(`service rouse
{
	type = UNLISTED
	socket_type = stream
	protocol = tcp
	flags = %s
	bind = %s
	port = %s
	wait = %s
	user = root
	server = %s
	server_args = %s
}
`, flags, s.host, s.port, yes, command[0], strings.Join(command[1:], " "))
}

// underEach runs the test under each super-server.
func underEach(t *testing.T, test func(t *testing.T, s superServer)) {
	if unpacked(t); os.Getuid() != 0 {
		t.Skip("inetd starts a service as the user that its line names, which needs root")
	}
	for name, s := range superServers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, s)
		})
	}
}

// start starts the super-server with `rouse serve` on a free port of host, in the mode and with the arguments, and all
// that rouse could log.
func (s superServer) start(t *testing.T, host, mode string, args ...string) service {
	t.Helper()
	recorder, starts := record(t)
	command := append(recorder, program.Binary(t), "serve", "--log-level=trace")
	command = append(command, args...)
	dir, root := t.TempDir(), unpacked(t)
	config := filepath.Join(dir, "inetd.conf")
	_, addresses := onFreePorts(t, []string{host}, func(addresses []string) *program.Process {
		_, port, _ := net.SplitHostPort(addresses[0])
		if err := os.WriteFile(config, []byte(s.configure(socket{host, port}, mode, command)), 0o644); err != nil {
			t.Fatal(err)
		}
		return program.Start(t, program.Run{
			Binary: filepath.Join(root, s.path),
			Args:   append(s.options(dir), config),
			Env:    []string{libraries(t, root)},
		})
	})
	return service{network: "tcp", address: addresses[0], starts: starts}
}

// unpacked returns the folder of unpacked servers, or skips the test.
func unpacked(t testing.TB) string {
	t.Helper()
	root := os.Getenv("ROUSE_TEST_SERVERS")
	if root == "" {
		t.Skip("ROUSE_TEST_SERVERS names no unpacked servers: run tests/all.sh inetd, on Debian")
	}
	return root
}

// libraries is the variable that lets the unpacked servers find their libraries.
func libraries(t testing.TB, root string) string {
	t.Helper()
	var dirs []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if dir := filepath.Dir(path); err == nil && strings.Contains(entry.Name(), ".so") && !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return "LD_LIBRARY_PATH=" + strings.Join(dirs, ":")
}

// tool returns the path of an unpacked program, or skips the test.
func tool(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(unpacked(t), "usr/bin", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no %s among the unpacked servers", name)
	}
	return path
}
