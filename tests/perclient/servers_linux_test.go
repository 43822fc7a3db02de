package perclient

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/rouse-server/rouse/tests/program"
)

// insideVariable names the folder that is the same outside and inside of the booted system.
const insideVariable = "ROUSE_TEST_INSIDE"

// Real servers that were written for inetd, from Debian's packages: unpacked in a system whose files and network are thrown away
// afterwards (tests/boot-systemd.sh), where this test binary runs again. Nothing is installed or started on the machine itself.
func TestServers(t *testing.T) {
	dir := os.Getenv(insideVariable)
	if dir == "" {
		boot(t)
		return
	}
	prepare(t, dir)
	t.Run("BusyBox httpd", busyboxHTTPD)
	t.Run("OpenSSH", openSSH)
	t.Run("Exim", exim)
}

// boot runs this test in a booted system, and shows what it has to say.
func boot(t *testing.T) {
	fetch := exec.Command("../tools/fetch-debs.sh", "busybox-static", "openssh-server", "exim4-daemon-light")
	fetch.Stderr = os.Stderr
	packages, err := fetch.Output()
	if err != nil {
		t.Skipf("the servers' packages cannot be had: fetch-debs.sh: %v", err)
	}
	dir, err := os.MkdirTemp("/var/tmp", "rouse-perclient.") // inside, /tmp is another one
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	for from, to := range map[string]string{program.Binary(t): "rouse", self(t): "tests"} {
		if out, err := exec.Command("cp", from, filepath.Join(dir, to)).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "packages"), packages, 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("bash", "../boot-systemd.sh", "-T", "300", "-b", dir, "--", "env", insideVariable+"="+dir,
		"ROUSE_BINARY="+filepath.Join(dir, "rouse"), filepath.Join(dir, "tests"), "-test.run=^TestServers$", "-test.v")
	out, err := cmd.CombinedOutput()
	exit, ok := errors.AsType[*exec.ExitError](err)
	switch {
	case ok && exit.ExitCode() == 77:
		t.Skip("boot-systemd.sh cannot boot a system here (it needs root, cgroup v2 and new namespaces)")
	case err != nil:
		t.Errorf("%v\n%s", err, out)
	default:
		t.Logf("%s", out)
	}
}

// prepare unpacks the packages, without their own scripts: they would start services.
func prepare(t *testing.T, dir string) {
	t.Helper()
	const script = `set -eu
cd "$1"
# --keep-directory-symlink: /lib is a link to /usr/lib.
while read -r deb; do dpkg --fsys-tarfile "$deb" | tar -x --keep-directory-symlink --warning=no-timestamp -C /; done <packages
for user in sshd Debian-exim; do
  getent group $user >/dev/null || groupadd --system $user
  getent passwd $user >/dev/null || useradd --system --gid $user --no-create-home --home-dir / --shell /usr/sbin/nologin $user
done
mkdir -p /run/sshd
`
	if out, err := exec.Command("sh", "-c", script, "sh", dir).CombinedOutput(); err != nil {
		t.Fatalf("prepare the system: %v\n%s", err, out)
	}
}

// each runs a real server for the clients of a new listener. Its folder is open to servers that change their user.
func each(t *testing.T, dir string, options []string, command ...string) (address string, p *program.Process) {
	t.Helper()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	file, address := program.Listener(t)
	return address, inetd(t, []*os.File{file}, append(append(options, "--"), command...)...)
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func busyboxHTTPD(t *testing.T) {
	dir := program.ShortDir(t)
	writeFile(t, dir+"/page", "a page\n")
	address, p := each(t, dir, []string{"--user=nobody", "--limit=nofile=32"}, "/bin/busybox", "httpd", "-i", "-vv", "-h", dir)
	for range 3 {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
		response, err := client.Get("http://" + address + "/page")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || string(body) != "a page\n" {
			t.Errorf("got %q, %v", body, err)
		}
	}
	p.Stderr.WaitFor(`url:/page.*client=127\.0\.0\.1:`, patience)
}

// openSSH logs in with a key and runs a command.
func openSSH(t *testing.T) {
	dir := program.ShortDir(t)
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err1 := ssh.NewSignerFromKey(private)
	key, err2 := ssh.NewPublicKey(public)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	writeFile(t, dir+"/authorized", string(ssh.MarshalAuthorizedKey(key)))
	writeFile(t, dir+"/sshd_config", fmt.Sprintf("HostKey %[1]s/host\nAuthorizedKeysFile %[1]s/authorized\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n", dir))
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", dir+"/host").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	host, err := os.ReadFile(dir + "/host.pub")
	if err != nil {
		t.Fatal(err)
	}
	hostKey, _, _, _, err := ssh.ParseAuthorizedKey(host)
	if err != nil {
		t.Fatal(err)
	}
	address, p := each(t, dir, []string{"--per-client=3"}, "/usr/sbin/sshd", "-i", "-e", "-f", dir+"/sshd_config")
	for range 2 {
		c := dial(t, address)
		conn, channels, requests, err := ssh.NewClientConn(c, "host", &ssh.ClientConfig{
			User: "root", Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)}, HostKeyCallback: ssh.FixedHostKey(hostKey),
		})
		if err != nil {
			t.Fatal(err)
		}
		client := ssh.NewClient(conn, channels, requests)
		session, err := client.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		out, err := session.Output("echo $SSH_CONNECTION; sleep 0 & wait $! && echo its children are its own")
		if err != nil {
			t.Fatal(err)
		}
		words := strings.NewReplacer(":", " ").Replace(c.LocalAddr().String() + " " + c.RemoteAddr().String())
		if want := words + "\nits children are its own\n"; string(out) != want {
			t.Errorf("got %q, want %q", out, want)
		}
		client.Close()
		p.Stderr.WaitFor(`Accepted publickey for root from 127\.0\.0\.1 .*client=`+regexp.QuoteMeta(c.LocalAddr().String()), patience)
	}
	p.Stderr.WaitFor(`(?s)(msg=served.*){2}`, patience)
}

const eximConfig = `
exim_user = Debian-exim
exim_group = Debian-exim
spool_directory = @dir@/spool
log_file_path = @dir@/log/%slog
log_selector = +incoming_port +smtp_connection
primary_hostname = drill.example
domainlist local = example.test
acl_smtp_rcpt = rcpt
keep_environment =
never_users =
host_lookup =
rfc1413_query_timeout = 0s
tls_advertise_hosts =
begin acl
rcpt:
  accept
begin routers
all:
  driver = accept
  transport = maildir
begin transports
maildir:
  driver = appendfile
  directory = @dir@/mail
  maildir_format
  create_directory
  user = Debian-exim
`

// exim accepts a mail, and delivers it.
func exim(t *testing.T) {
	dir := program.ShortDir(t)
	for _, name := range []string{"spool", "log", "mail"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll("/etc/exim4", 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, "/etc/exim4/exim4.conf", strings.ReplaceAll(eximConfig, "@dir@", dir)) // Exim gives up root for any other file
	if out, err := exec.Command("chown", "-R", "Debian-exim:Debian-exim", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	address, _ := each(t, dir, nil, "/usr/sbin/exim4", "-bs")
	c := dial(t, address)
	client, err := smtp.NewClient(c, "drill.example")
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Hello("client.example"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(client.Mail("sender@example.test"), client.Rcpt("anna@example.test")); err != nil {
		t.Fatal(err)
	}
	w, err := client.Data()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, "Subject: of this test\r\n\r\nHello.\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Close(), client.Quit()); err != nil {
		t.Fatal(err)
	}
	received := regexp.MustCompile(`\[127\.0\.0\.1\](:` + fmt.Sprint(c.LocalAddr().(*net.TCPAddr).Port) + `)?`)
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		files, _ := filepath.Glob(dir + "/mail/new/*")
		if len(files) > 0 {
			text, err := os.ReadFile(files[0])
			if err != nil || !strings.Contains(string(text), "Subject: of this test") || !received.Match(text) {
				t.Errorf("%v\n%s", err, text)
			}
			return
		}
		if time.Now().After(end) {
			log, _ := os.ReadFile(dir + "/log/mainlog")
			t.Fatalf("the mail was not delivered; log:\n%s", log)
		}
	}
}
