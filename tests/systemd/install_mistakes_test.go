package systemd

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// mistake is a command line that is refused: with an exit code, and a line for each of these words.
type mistake struct {
	args  []string
	code  int
	words []string
}

// refused checks that mistakes are told, a line each, and that nothing on the machine is other than before.
func refused(t *testing.T, mistakes []mistake, around ...string) {
	t.Helper()
	before := machine(t)
	for _, m := range mistakes {
		words := append(around[:len(around):len(around)], append([]string{rousePath}, m.args...)...)
		got := try(t, words[0], words[1:]...)
		lines := strings.Split(strings.TrimSuffix(got.stderr, "\n"), "\n")
		fits := got.code == m.code && got.stdout == "" && len(lines) == len(m.words)
		for i, word := range m.words {
			fits = fits && strings.Contains(lines[i], word)
		}
		if !fits {
			t.Errorf("rouse %q ends with %d, want %d and the words %q:\n%s%s", m.args, got.code, m.code, m.words, got.stdout, got.stderr)
		}
	}
	sameMachine(t, before)
}

// Without this a mistake would be half an installation, or a site that never answers: all of them are told before anything is
// written, in lines that say what to do.
func TestInstallMistakes(t *testing.T) {
	settledMachine(t)
	site := func(args ...string) []string {
		return append([]string{"install", "--listen=https=9201,http=9202"}, args...)
	}
	folder := folderWith(t, "/srv/mistakes", "")
	for _, path := range []string{"/tmp/mistakes", "/var/tmp/mistakes", "/srv/closed/site"} {
		folderWith(t, path, "")
	}
	t.Cleanup(func() { os.RemoveAll("/srv/closed") })
	if err := os.Chmod("/srv/closed", 0o700); err != nil {
		t.Fatal(err)
	}
	cert, key, _ := program.KeyPair(t, folder)
	otherCert, _, _ := program.KeyPair(t, folderWith(t, "/srv/mistakes-other", ""))
	writeFile(t, folder+"/garbage", "garbage")
	writeFile(t, folder+"/garbage.toml", "garbage")
	if err := os.Symlink("/tmp/mistakes", "/srv/mistakes/inside"); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:9203")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	long := strings.Repeat("x", 49)
	refused(t, []mistake{
		{site("/tmp/mistakes"), 78, []string{"PrivateTmp="}},
		{site("/var/tmp/mistakes"), 78, []string{"PrivateTmp="}},
		{site("/srv/mistakes/inside"), 78, []string{"PrivateTmp="}},
		{site("/srv/closed/site"), 78, []string{"chmod o+x /srv/closed"}},
		{site("/srv/nowhere"), 78, []string{"/srv/nowhere"}},
		{site(folder + "/garbage"), 78, []string{"garbage"}},
		{site("--account=no-such-user", folder), 78, []string{"there is no user no-such-user"}},
		{site("--tls-cert", cert, "--tls-key", folder+"/none", folder), 78, []string{folder + "/none"}},
		{site("--tls-cert", otherCert, "--tls-key", key, folder), 78, []string{key}},
		{site("--tls-cert", folder+"/garbage", "--tls-key", key, folder), 78, []string{folder + "/garbage"}},
		{site("--tls-cert", cert, folder), 2, []string{"--tls-key"}},
		{[]string{"install", "--listen=9203", folder}, 78, []string{"in use by another program (see: ss -ltnp 'sport = :9203')"}},
		{[]string{"install", "--listen=https=127.0.0.1:9203,http=9202", "/tmp/mistakes"}, 78, []string{"PrivateTmp=", "9203"}},
		{[]string{"install", "--listen=9204,http=/proc/no.sock", folder}, 78, []string{"rouse-site-http.socket"}}, // where systemd cannot make one
		{site("--name=../x", folder), 2, []string{`"../x"`}}, {site("--name=a b", folder), 2, []string{`"a b"`}},
		{site("--name=A", folder), 2, []string{`"A"`}}, {site("--name=-x", folder), 2, []string{`"-x"`}},
		{site("--name=ü", folder), 2, []string{`"ü"`}}, {site("--name=a\nb", folder), 2, []string{`"a\nb"`}},
		{site("--name=a%n", folder), 2, []string{"a%n"}}, {site("--name=a@b", folder), 2, []string{"a@b"}},
		{site("--name="+long, folder), 2, []string{long}}, {site("--name=", folder), 2, []string{"--name"}},
		{site("--name=http", folder), 2, []string{"packages"}}, {site("--name=renew", folder), 2, []string{"packages"}},
		{site("--name=x-http", folder), 2, []string{"x"}}, {site("--name=x-renew", folder), 2, []string{"x"}},
		{site("--name=rouse.env", folder), 2, []string{"/etc/rouse"}},
		{site("--no-such-option", folder), 2, []string{"--no-such-option"}},
		{site("--offline", "--egress", folder), 2, []string{"--offline and --egress"}},
		{[]string{"install", "run", "--", "no-such-program"}, 78, []string{"no-such-program"}},
		{[]string{"install", "run", "--", "/srv/mistakes/garbage"}, 78, []string{"/srv/mistakes/garbage"}},
		{[]string{"install", "run", "--"}, 2, []string{"behind --"}},
		{[]string{"install", "dispatch", "--account=www-data"}, 2, []string{"leave it out"}},
		{[]string{"install", "dispatch", "--config=/srv/nowhere.toml"}, 78, []string{"/srv/nowhere.toml"}},
		{[]string{"install", "dispatch", "--config=" + folder + "/garbage.toml"}, 78, []string{"garbage.toml"}},
		{[]string{"uninstall", "nothing"}, 2, []string{"nothing"}}, {[]string{"uninstall"}, 2, []string{"NAME"}},
		{[]string{"uninstall", "../../etc"}, 2, []string{"../../etc"}}, {[]string{"uninstall", "run"}, 2, []string{"run"}},
		{[]string{"status", "nothing"}, 2, []string{"nothing"}}, {[]string{"status", "../x"}, 2, []string{"../x"}},
		{[]string{"renew", "nothing"}, 2, []string{"nothing"}},
	})
}

// A port that a unit holds is told with that unit's name, and how to free it; and so is another site's.
func TestInstallPortsOfOthers(t *testing.T) {
	settledMachine(t)
	shipped(t, "")
	folder := folderWith(t, "/srv/others", "")
	installs(t, "holder", "--name=holder", "--tls=false", "--listen=http=127.0.0.1:9206,admin=127.0.0.1:9208", folder)
	refused(t, []mistake{
		{[]string{"install", folder}, 78, []string{"127.0.0.1:8443 is held by rouse.socket", "[::1]:8443 is held by rouse.socket", "systemctl disable --now rouse-http.socket", "[::1]:8080 is held by rouse-http.socket"}},
		{[]string{"install", "--listen=http=127.0.0.1:8080", folder}, 78, []string{"systemctl disable --now rouse-http.socket"}},
		{[]string{"install", "--listen=https=8443", folder}, 78, []string{"rouse.socket"}},
		{[]string{"install", "--tls=false", "--listen=http=127.0.0.1:9206", folder}, 78, []string{"rouse uninstall holder"}},
		{[]string{"install", "--tls=false", "--listen=http=9206", folder}, 78, []string{"rouse uninstall holder"}},
		{[]string{"install", "--tls=false", "--name=holder-admin", "--listen=http=127.0.0.1:9207", folder}, 78, []string{"rouse-holder-admin.socket"}},
	})
	if text := rouse(t, "status"); !strings.Contains(text, "rouse.socket") && !strings.Contains(text, "rouse.service") || !strings.Contains(text, "holder") {
		t.Errorf("status does not list both the shipped units and the site:\n%s", text)
	}
}

// Without rights people hear that, and nothing else; what everybody may see they see.
func TestInstallWithoutRights(t *testing.T) {
	settledMachine(t)
	folder, home := folderWith(t, "/srv/rights", ""), folderWith(t, "/srv/rights-home", "")
	run(t, "chown", "nobody", home)
	installs(t, "rights", "--name=rights", "--tls=false", "--listen=http=127.0.0.1:9209", folder)
	nobody := []string{"setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "env", "HOME=" + home}
	refused(t, []mistake{
		{[]string{"install", "--listen=9201", folder}, 77, []string{"sudo"}},
		{[]string{"install", "--name=rights", "--tls=false", "--listen=http=127.0.0.1:9210", folder}, 77, []string{"sudo"}},
		{[]string{"install", "--listen=9201", "--user", folder}, 78, []string{"systemd of your own"}},
		{[]string{"uninstall", "rights"}, 77, []string{"root"}},
		{[]string{"renew", "rights"}, 78, []string{"rights"}},
	}, nobody...)
	for _, allowed := range [][]string{{"status", "rights"}, {"install", "--print", folder}} {
		words := append(nobody[1:len(nobody):len(nobody)], append([]string{rousePath}, allowed...)...)
		if got := try(t, nobody[0], words...); got.code != 0 || got.stderr != "" || !strings.Contains(got.stdout, "127.0.0.1:") && !strings.Contains(got.stdout, "asleep") {
			t.Errorf("rouse %q: %+v", allowed, got)
		}
	}
}

// Without a systemd, or with one that does not take the units, nothing is begun.
func TestInstallWithoutSystemd(t *testing.T) {
	settledMachine(t)
	folder := folderWith(t, "/srv/without", "")
	installs(t, "without", "--name=without", "--tls=false", "--listen=http=127.0.0.1:9211", folder)
	refused(t, []mistake{
		{[]string{"install", "--listen=9201", folder}, 78, []string{"systemd does not run"}},
		{[]string{"uninstall", "without"}, 78, []string{"systemd does not run"}},
	}, "unshare", "--mount", "sh", "-c", `mount -t tmpfs none /run && exec "$@"`, "sh")
	const complains = "/srv/without/systemd-analyze"
	writeFile(t, complains, "#!/bin/sh\necho \"$4: Unknown key, ignoring.\"\n")
	run(t, "chmod", "0755", complains)
	refused(t, []mistake{
		{[]string{"install", "--listen=9201", folder}, 1, []string{"Unknown key"}},
	}, "env", "PATH=/srv/without:/usr/bin:/bin")
}

// --print and --dry-run change nothing; --print shows what is then written.
func TestInstallPrint(t *testing.T) {
	before := settledMachine(t)
	folder := []string{"--listen=9201,http=9202", "/usr/share/doc"}
	dry := rouse(t, append([]string{"install", "--dry-run"}, folder...)...)
	printed := rouse(t, append([]string{"install", "--print"}, folder...)...)
	sameMachine(t, before)
	installs(t, "site", folder...)
	files, err := exec.Command("sh", "-c", "ls /etc/systemd/system/rouse-site* /etc/rouse/site/*").Output()
	if err != nil {
		t.Fatal(err)
	}
	for path := range strings.FieldsSeq(string(files)) {
		if strings.HasSuffix(path, "/installed.json") {
			continue
		}
		if !strings.Contains(dry, "would write "+path+"\n") {
			t.Errorf("--dry-run does not tell of %s:\n%s", path, dry)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		text := content(t, path)
		if strings.Contains(path, "/tls.") {
			text = "(not shown)\n"
		}
		if !strings.Contains(printed, fmt.Sprintf("==> %s (mode %04o) <==\n%s", path, info.Mode().Perm(), text)) {
			t.Errorf("--print does not show %s as it is", path)
		}
	}
	if strings.Contains(printed, "PRIVATE KEY") {
		t.Error("--print shows the key")
	}
}
