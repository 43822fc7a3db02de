package systemd

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/program"
)

const rousePath = "/usr/bin/rouse"

// outcome is how a command ended.
type outcome struct {
	code           int
	stdout, stderr string
}

// try runs a command, which may fail.
func try(t *testing.T, name string, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited || ctx.Err() != nil {
		t.Fatalf("%s %q: %v\n%s%s", name, args, err, stdout.String(), stderr.String())
	}
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// rouse runs the program, which must succeed without a word of complaint, and returns what it printed.
func rouse(t *testing.T, args ...string) string {
	t.Helper()
	got := try(t, rousePath, args...)
	if got.code != 0 || got.stderr != "" {
		t.Fatalf("rouse %q ends with %d\n%s%s", args, got.code, got.stdout, got.stderr)
	}
	return got.stdout
}

// installs installs a site by `rouse install` with these arguments. At the end it is taken away, if that was not done before,
// and must have left no trace; where the test failed, its journal is shown.
func installs(t *testing.T, name string, args ...string) (said string) {
	t.Helper()
	needsSystemd(t)
	since := time.Now()
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(run(t, "journalctl", "-q", "--no-pager", "-n30", "-o", "short-precise", "-u", "rouse-"+name+"*", "--since", stamp(since)))
		}
		uninstalls(t, name)
	})
	return rouse(t, append([]string{"install"}, args...)...)
}

// uninstalls takes a site away, where it is still there, and looks for traces.
func uninstalls(t *testing.T, name string) {
	t.Helper()
	if _, err := os.Stat("/etc/rouse/" + name); err == nil {
		rouse(t, "uninstall", name)
	}
	noTraces(t, name)
}

// noTraces checks that nothing is left of a site: no file, no unit.
func noTraces(t *testing.T, name string) {
	t.Helper()
	if traces := tracesOf(t, name); len(traces) > 0 {
		t.Errorf("left of %s: %q", name, traces)
	}
	if units := strings.Fields(run(t, "systemctl", "list-units", "--all", "--plain", "--no-legend", "rouse-"+name+".*", "rouse-"+name+"-*")); len(units) > 0 {
		t.Errorf("units left of %s: %q", name, units)
	}
}

// tracesOf lists what lies on the machine under a site's name.
func tracesOf(t *testing.T, name string) (found []string) {
	t.Helper()
	for _, folder := range []string{"/etc", "/run", "/var/lib/private", "/var/lib/systemd", "/var/cache", "/var/log"} {
		err := filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
			_, below, site := strings.Cut(path, "/rouse/"+name)
			_, behind, unit := strings.Cut(path, "rouse-"+name)
			if err == nil && (site && (below == "" || below[0] == '/') || unit && (behind == "" || strings.ContainsAny(behind[:1], ".-/"))) {
				found = append(found, path)
			}
			return nil // also where it has gone meanwhile
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Lstat("/var/lib/rouse-" + name); err == nil {
		found = append(found, "/var/lib/rouse-"+name)
	}
	return found
}

// tree is what lies on the machine: modes, owners and contents by path.
type tree map[string]string

// machine looks at everything that an installation might touch. Left out is what systemd changes by itself all the time.
func machine(t *testing.T) tree {
	t.Helper()
	return look(t, []string{"/etc", "/usr/bin", "/usr/sbin", "/usr/local", "/usr/lib/systemd", "/var/lib", "/var/cache", "/var/log",
		"/run", "/home", "/srv"}, "/run/log/journal", "/run/systemd/journal", "/usr/local/go")
}

func look(t *testing.T, folders []string, without ...string) tree {
	t.Helper()
	all := tree{}
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return nil // it never was, or has gone meanwhile
			case err != nil:
				return err
			case slices.Contains(without, path):
				return fs.SkipDir
			}
			all[path], err = describe(path, entry)
			if errors.Is(err, fs.ErrNotExist) {
				delete(all, path)
				return nil
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// describe tells of a file what must not change. Those that are none of ours are known by their size and time.
func describe(path string, entry fs.DirEntry) (string, error) {
	info, err := entry.Info()
	if err != nil {
		return "", err
	}
	stat := info.Sys().(*syscall.Stat_t)
	what := fmt.Sprintf("%v %d:%d", info.Mode(), stat.Uid, stat.Gid)
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(path)
		return what + " " + target, err
	case info.Mode().IsRegular() && strings.HasPrefix(path, "/etc/"):
		text, err := os.ReadFile(path)
		return fmt.Sprintf("%s %d %x", what, info.Size(), sha256.Sum256(text)), err
	case info.Mode().IsRegular() && !strings.HasPrefix(path, "/run/"):
		return fmt.Sprintf("%s %d %d", what, info.Size(), info.ModTime().UnixNano()), nil
	}
	return what, nil
}

// settledMachine is the machine once systemd has made the folders that it makes at their first use, and keeps. Others go when
// they are empty.
func settledMachine(t *testing.T) tree {
	t.Helper()
	needsSystemd(t)
	run(t, "systemd-run", "--quiet", "--wait", "-p", "DynamicUser=yes", "-p", "ProtectSystem=strict", "-p", "SetCredential=a:b", "true")
	run(t, "systemctl", "daemon-reload")
	folders, _ := filepath.Glob("/etc/systemd/system/*.wants")
	for _, folder := range append(folders, "/var/lib/systemd/timers") {
		os.Remove(folder) // which only an empty one lets happen
	}
	return machine(t)
}

// sameMachine compares the machine with what it was.
func sameMachine(t *testing.T, before tree) {
	t.Helper()
	for _, difference := range before.differences(machine(t)) {
		t.Error(difference)
	}
}

func (before tree) differences(after tree) []string {
	var all []string
	for path, is := range after {
		if was, ok := before[path]; !ok {
			all = append(all, "new: "+path+" "+is)
		} else if is != was {
			all = append(all, "changed: "+path+" was "+was+", is "+is)
		}
	}
	for path := range maps.Keys(before) {
		if _, ok := after[path]; !ok {
			all = append(all, "gone: "+path)
		}
	}
	slices.Sort(all)
	return all
}

// listed is what `rouse status --json` tells of a site.
type listed struct {
	Name, Command, State, Log, Trouble string
	User, Package                      bool
	PID                                int
	LastKnock                          time.Time `json:"last_knock"`
	URLs, Listen, Units                []string
}

// statusOf is the status of one site.
func statusOf(t *testing.T, name string) listed {
	t.Helper()
	var all []listed
	if err := json.Unmarshal([]byte(rouse(t, "status", "--json", name)), &all); err != nil {
		t.Fatal(err)
	}
	if len(all) != 1 || all[0].Name != name {
		t.Fatalf("status of %s: %+v", name, all)
	}
	return all[0]
}

// madeCertificate is the certificate that was made for a site, and a pool that trusts it.
func madeCertificate(t *testing.T, name string) (*x509.Certificate, *x509.CertPool) {
	t.Helper()
	block, _ := pem.Decode([]byte(content(t, "/etc/rouse/"+name+"/tls.crt")))
	if block == nil {
		t.Fatalf("site %s has no certificate", name)
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return leaf, pool
}

// secure is an HTTP/2 client that trusts the certificate that was made for a site.
func secure(t *testing.T, name string) *http.Client {
	t.Helper()
	_, pool := madeCertificate(t, name)
	return program.Client(t, pool).HTTP2
}

// page fetches a page, which must be there, and hangs up.
func page(t *testing.T, client *http.Client, url string) string {
	t.Helper()
	defer client.CloseIdleConnections()
	bounded := *client
	bounded.Timeout = patience
	reply, err := bounded.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err != nil || reply.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %q, %v", url, reply.Status, body, err)
	}
	return string(body)
}

// opened is when a socket was opened last.
func opened(t *testing.T, socket string) string {
	t.Helper()
	if state := property(t, socket, "ActiveState"); state != "active" {
		t.Errorf("%s is %s", socket, state)
	}
	return property(t, socket, "ActiveEnterTimestampMonotonic")
}

// folderWith makes a folder that everybody may read, with a page.
func folderWith(t *testing.T, path, page string) string {
	t.Helper()
	writeFile(t, filepath.Join(path, "index.html"), page)
	t.Cleanup(func() { os.RemoveAll(path) })
	return path
}

// talk sends a line to an address, and returns all that comes back.
func talk(t *testing.T, address, line string) string {
	t.Helper()
	c, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, line); err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(c)
	if err != nil {
		t.Fatalf("%s, after %q: %v", address, answer, err)
	}
	return string(answer)
}

// hasOwnNetwork tells whether a service is in another network than the machine's, which these tests are in.
func hasOwnNetwork(t *testing.T, service string) bool {
	t.Helper()
	ours, err1 := os.Readlink("/proc/self/ns/net")
	its, err2 := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", mainOf(t, service)))
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return ours != its
}
