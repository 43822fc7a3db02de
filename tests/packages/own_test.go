package packages

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// What belongs to the machine's administrator outlives an upgrade, and even a purge: a certificate from elsewhere, a page, a
// site that rouse install made. A socket that was disabled stays so, and instances that were enabled leave no link. A port
// that is taken keeps the package from nothing but that port.
func TestDebLeavesWhatIsNotItsOwn(t *testing.T) {
	needsSystemd(t)
	before := emptyMachine(t)
	holder, err := net.Listen("tcp", "127.0.0.1:8080")
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()
	step(t, []string{"dpkg", "--install", deb("first", version)})
	if got := property(t, "rouse.socket", "ActiveState") + " " + property(t, "rouse-http.socket", "ActiveState"); got != "active failed" {
		t.Errorf("rouse.socket, and rouse-http.socket whose port is taken, are %s", got)
	}
	program.KeyPair(t, "/etc/rouse", "localhost")
	own := map[string]string{
		"/var/www/html/index.html":       "<h1>mine</h1>\n",
		"/etc/rouse/blog/installed.json": "{}\n",
	}
	for path, text := range own {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run(t, "systemctl", "disable", "--now", "rouse-http.socket")
	run(t, "systemctl", "enable", "rouse-run@shop.socket", "rouse-dispatch.service")
	step(t, []string{"dpkg", "--install", deb("next", next)})
	if got := property(t, "rouse-http.socket", "ActiveState") + " " + property(t, "rouse-http.socket", "UnitFileState"); got != "failed disabled" {
		t.Errorf("rouse-http.socket, which was disabled, is %s", got)
	}
	if page, err := get(client(t), httpsURL); err != nil || page != own["/var/www/html/index.html"] {
		t.Errorf("%s, %v", page, err)
	}
	if out := run(t, "dpkg", "--purge", "rouse"); !strings.Contains(out, "the site blog") {
		t.Errorf("nothing is told of the site that has lost its program:\n%s", out)
	}
	holder.Close()
	closed(t)
	kept := []string{"/etc/rouse/tls.crt", "/etc/rouse/tls.key"}
	for path := range own {
		kept = append(kept, path)
	}
	for _, path := range kept {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("lost: %v", err)
		}
	}
	run(t, "rm", "-r", "/etc/rouse", "/var/www")
	before.same(t)
}
