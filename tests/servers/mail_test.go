package servers

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/smtp"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// mailServers are Postfix on its three ports, with its processes in their chroot. Mail is really delivered.
func mailServers() []server {
	row := server{
		packages: []string{"postfix"},
		version:  "/usr/sbin/postconf -d mail_version",
		files: map[string]string{"etc/main.cf": `
compatibility_level = 3.7
maillog_file = /var/log/drill.log
maillog_file_prefixes = /var/log
queue_directory = /var/spool/postfix
data_directory = /var/lib/postfix
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = drill.example
smtpd_banner = $myhostname @word@
mydestination =
mynetworks = 127.0.0.0/8
smtpd_peername_lookup = no
virtual_mailbox_domains = example.test
virtual_mailbox_base = @dir@/mail
virtual_mailbox_maps = static:all/
virtual_uid_maps = static:33
virtual_gid_maps = static:33
virtual_minimum_uid = 1
smtpd_tls_cert_file = @dir@/cert.pem
smtpd_tls_key_file = @dir@/key.pem
smtpd_tls_security_level = may
alias_maps =
alias_database =
`, "etc/master.cf": `
@smtp@         inet  n - y - - smtpd
@submission@   inet  n - y - - smtpd
  -o smtpd_tls_security_level=encrypt
@submissions@  inet  n - y - - smtpd
  -o smtpd_tls_wrappermode=yes
pickup    unix  n - y 60 1 pickup
cleanup   unix  n - y - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
tlsmgr    unix  - - y 1000? 1 tlsmgr
rewrite   unix  - - y - - trivial-rewrite
bounce    unix  - - y - 0 bounce
defer     unix  - - y - 0 bounce
trace     unix  - - y - 0 bounce
verify    unix  - - y - 1 verify
flush     unix  n - y 1000? 0 flush
proxymap  unix  - - n - - proxymap
error     unix  - - y - - error
retry     unix  - - y - - error
virtual   unix  - n n - - virtual
anvil     unix  - - y - 1 anvil
scache    unix  - - y - 1 scache
postlog   unix-dgram n - n - 1 postlogd
`},
		// What the package's own script does: the queue's folders, and postdrop's group.
		prepare: certificate + `
mkdir -p mail /var/spool/postfix /var/lib/postfix
chown www-data mail
chown postfix /var/lib/postfix
touch /etc/postfix/dynamicmaps.cf /etc/postfix/main.cf.proto /etc/postfix/master.cf.proto /etc/postfix/makedefs.out
cp etc/main.cf etc/master.cf /etc/postfix/
postfix -c @dir@/etc set-permissions
postfix -c @dir@/etc check
`,
		sockets: []socket{{name: "smtp", network: "tcp4", port: 25}, {name: "submissions", network: "tcp4", port: 465}, {name: "submission", network: "tcp4", port: 587}},
		client:  deliver("smtp", "submissions", "submission"),
		logFile: "/var/log/drill.log",
		peer:    `connect from unknown\[@ip@\]`,
	}
	master, script := row, row
	master.name, master.reload, master.noBare = "Postfix 25, 465 and 587, chroot", "HUP", true
	master.command = []string{"/usr/lib/postfix/sbin/master", "-c", "@dir@/etc", "-s"}
	script.name, script.reload, script.abrupt, script.daemon = "Postfix, postfix start-fg", "restart", true, "yes"
	script.command = []string{"/usr/sbin/postfix", "-c", "@dir@/etc", "start-fg"}
	return []server{master, script}
}

// exim conflicts with Postfix.
func exim() []server {
	return []server{{
		name:     "Exim, daemon",
		overlay:  "exim",
		packages: []string{"exim4-daemon-light"},
		version:  "/usr/sbin/exim4 --version",
		files: map[string]string{"exim.conf": `
exim_user = Debian-exim
exim_group = Debian-exim
spool_directory = @dir@/spool
log_file_path = @dir@/log/%slog
log_selector = +incoming_port +smtp_connection
pid_file_path = @dir@/exim.pid
daemon_smtp_ports = @smtp@
local_interfaces = 127.0.0.1
primary_hostname = drill.example
smtp_banner = drill @word@
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
  directory = @dir@/mail/anna/Maildir
  maildir_format
  create_directory
  user = Debian-exim
`},
		prepare: "mkdir -p spool log mail; chown Debian-exim:Debian-exim spool log mail; ln -sf @dir@/exim.conf /etc/exim4/exim4.conf",
		command: []string{"/usr/sbin/exim4", "-bdf"},
		sockets: []socket{{name: "smtp", network: "tcp4", port: 25}},
		client:  deliver("smtp"),
		logFile: "@dir@/log/mainlog",
		peer:    `\[@ip@\]:@port@`,
		reload:  "HUP",
	}}
}

// certificate is a script that makes a self-signed one.
const certificate = `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=drill.example -keyout key.pem -out cert.pem 2>/dev/null`

// deliver submits a message over each of the sockets, and waits until it lies in the recipient's folder.
func deliver(names ...string) func(*drill) error {
	return func(d *drill) error {
		for _, name := range names {
			if err := d.submit(name); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		return nil
	}
}

// submit sends one message: with TLS from the start over submissions, and after STARTTLS over submission.
func (d *drill) submit(name string) error {
	c, err := d.dial(name)
	if err != nil {
		return err
	}
	defer c.Close()
	id := strings.ReplaceAll(c.LocalAddr().String(), ":", "-") + "-" + name
	insecure := &tls.Config{InsecureSkipVerify: true}
	greeting := &firstLine{Conn: c}
	var conn net.Conn = greeting
	if name == "submissions" {
		greeting.Conn = tls.Client(c, insecure)
	}
	client, err := smtp.NewClient(conn, "drill")
	if err != nil {
		return err
	}
	if err := d.check(string(greeting.text)); err != nil {
		return err
	}
	if name == "submission" {
		if err := client.StartTLS(insecure); err != nil {
			return err
		}
	}
	if err := send(client, id); err != nil {
		return err
	}
	return d.wait("message "+id+" has not been delivered", 20*time.Second, func() bool { return delivered(d.dir+"/mail", id) })
}

func send(client *smtp.Client, id string) error {
	if err := errors.Join(client.Mail("bert@example.org"), client.Rcpt("anna@example.test")); err != nil {
		return err
	}
	w, err := client.Data()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "From: bert@example.org\r\nTo: anna@example.test\r\nSubject: %s\r\n\r\nhello\r\n", id)
	return errors.Join(w.Close(), client.Quit())
}

// delivered tells whether the message lies below a folder, and removes it.
func delivered(folder, id string) bool {
	found := false
	_ = filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Base(filepath.Dir(path)) != "new" {
			return nil
		}
		if text, _ := os.ReadFile(path); strings.Contains(string(text), "Subject: "+id) {
			found = true
			return os.Remove(path)
		}
		return nil
	})
	return found
}

// firstLine keeps the first bytes that come over a connection.
type firstLine struct {
	net.Conn
	text []byte
}

func (f *firstLine) Read(p []byte) (int, error) {
	n, err := f.Conn.Read(p)
	if len(f.text) == 0 {
		f.text = append(f.text, p[:n]...)
	}
	return n, err
}
