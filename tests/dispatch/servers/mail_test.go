package servers

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/smtp"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// outgoing is where Postfix hands on what is not for its own users: a server of the test, which it reaches by the broker.
const outgoing = addressClient + ":2626"

// mailServers are Postfix on its three ports, with its processes in their chroot, and Dovecot.
func mailServers() []server { return []server{postfix(), dovecot()} }

func postfix() server {
	return server{
		name:     "Postfix 25, 465 and 587, chroot",
		packages: []string{"postfix"},
		version:  "/usr/sbin/postconf -d mail_version",
		way:      byRun,
		files: map[string]string{"etc/main.cf": `
compatibility_level = 3.7
maillog_file = /var/log/drill-@word@.log
maillog_file_prefixes = /var/log
queue_directory = @dir@/spool
data_directory = @dir@/data
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = drill.example
smtpd_banner = $myhostname @word@
mydestination =
mynetworks = 198.51.100.0/24
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
relayhost = [` + addressClient + `]:2626
smtp_bind_address_enforce = no
disable_dns_lookups = yes
smtpd_client_connection_count_limit = 0
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
smtp      unix  - - y - - smtp
relay     unix  - - y - - smtp
error     unix  - - y - - error
retry     unix  - - y - - error
virtual   unix  - n n - - virtual
anvil     unix  - - y - 1 anvil
scache    unix  - - y - 1 scache
postlog   unix-dgram n - n - 1 postlogd
`},
		// What the package's own script does: the queue's folders, and postdrop's group.
		prepare: certificate + `
mkdir -p mail spool data
chown www-data mail
chown postfix data
touch /etc/postfix/dynamicmaps.cf /etc/postfix/main.cf.proto /etc/postfix/master.cf.proto /etc/postfix/makedefs.out
cp etc/main.cf etc/master.cf /etc/postfix/
postfix -c @dir@/etc set-permissions
postfix -c @dir@/etc check
`,
		command: []string{"/usr/lib/postfix/sbin/master", "-c", "@dir@/etc", "-s"},
		network: `connect = ["` + outgoing + `"]`,
		sockets: []socket{{name: "smtp", network: "tcp4", port: 25}, {name: "submissions", network: "tcp4", port: 465}, {name: "submission", network: "tcp4", port: 587}},
		client:  mailInAndOut,
		load:    hear("smtp", `^220 `),
		logFile: "/var/log/drill-@word@.log",
		peer:    `connect from unknown\[@ip@\]`,
		abrupt:  true,
	}
}

// exim conflicts with Postfix.
func exim() server {
	return server{
		name:     "Exim, exim4 -bs",
		overlay:  "exim",
		packages: []string{"exim4-daemon-light"},
		version:  "/usr/sbin/exim4 --version",
		way:      byInetd,
		files: map[string]string{"exim.conf": `
exim_user = Debian-exim
exim_group = Debian-exim
spool_directory = @dir@/spool
log_file_path = @dir@/log/%slog
log_selector = +incoming_port +smtp_connection
primary_hostname = drill.example
smtp_banner = drill @word@
domainlist local = example.test
acl_smtp_rcpt = rcpt
keep_environment =
never_users =
host_lookup =
rfc1413_query_timeout = 0s
tls_advertise_hosts =
smtp_accept_queue_per_connection = 0
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
		prepare: "mkdir -p spool log mail; chown Debian-exim:Debian-exim spool log mail; echo @dir@/exim.conf >>/etc/exim4/trusted_configs",
		command: []string{"/usr/sbin/exim4", "-C", "@dir@/exim.conf", "-bs"},
		sockets: []socket{{name: "smtp", network: "tcp4", port: 25}},
		client:  deliver("smtp"),
		load:    hear("smtp", `^220 `),
		logFile: "@dir@/log/mainlog",
		peer:    `\[@ip@\](:@port@)?`,
	}
}

func dovecot() server {
	return server{
		name:     "Dovecot imap",
		packages: []string{"dovecot-imapd"},
		version:  "dovecot --version",
		way:      byRun,
		files: map[string]string{"passwd": "anna:{PLAIN}secret\n", "dovecot.conf": `
protocols = imap
base_dir = @dir@/run
state_dir = @dir@/state
log_path = @dir@/dovecot.log
ssl = no
disable_plaintext_auth = no
listen = 127.0.0.1
login_greeting = @word@
mail_location = maildir:@dir@/mail
first_valid_uid = 1
passdb {
  driver = passwd-file
  args = @dir@/passwd
}
userdb {
  driver = static
  args = uid=www-data gid=www-data home=@dir@/mail
}
service imap-login {
  inet_listener imap {
    port = @web@
  }
  inet_listener imaps {
    port = 0
  }
}
`},
		prepare: "mkdir -p mail/new mail/cur mail/tmp; printf 'Subject: drill\\n\\nhello\\n' >mail/new/1; chown -R www-data mail",
		command: []string{"/usr/sbin/dovecot", "-F", "-c", "@dir@/dovecot.conf"},
		sockets: web(),
		client:  readIMAP,
		logFile: "@dir@/dovecot.log",
		peer:    `imap-login: Info: Login: .*rip=@ip@, lip=198\.51\.100\.`,
		abrupt:  true,
	}
}

// certificate is a script that makes a self-signed one.
const certificate = `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=drill.example -keyout key.pem -out cert.pem 2>/dev/null`

// deliver submits a message over each of the sockets, and waits until it lies in the recipient's folder.
func deliver(names ...string) func(*visit) error {
	return func(v *visit) error {
		for _, name := range names {
			if err := v.submit(name); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		return nil
	}
}

// mailInAndOut delivers over all three ports, and has a message sent on to a server elsewhere.
func mailInAndOut(v *visit) error {
	if err := deliver("smtp", "submissions", "submission")(v); err != nil {
		return err
	}
	l, err := net.Listen("tcp4", outgoing)
	if err != nil {
		return err
	}
	defer l.Close()
	_ = l.(*net.TCPListener).SetDeadline(time.Now().Add(30 * time.Second))
	c, err := v.dial("smtp")
	if err != nil {
		return err
	}
	defer c.Close()
	client, err := smtp.NewClient(c, "drill")
	if err != nil {
		return err
	}
	if err := send(client, "outgoing", "zoe@elsewhere.test"); err != nil {
		return err
	}
	if err := takeMail(l); err != nil {
		return fmt.Errorf("outgoing mail: %w", err)
	}
	return nil
}

// takeMail is a mail server for one message, which has to be for elsewhere.test.
func takeMail(l net.Listener) error {
	c, err := l.Accept()
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	reader := bufio.NewReader(c)
	fmt.Fprint(c, "220 elsewhere.test\r\n")
	for _, one := range []exchange{
		{"^(EHLO|HELO) ", "250 elsewhere.test"}, {"^MAIL FROM:<bert@example.org>", "250 ok"}, {"^RCPT TO:<zoe@elsewhere.test>", "250 ok"},
		{"^DATA", "354 go on"}, {`^\.\r`, "250 taken"}, {"^QUIT", "221 bye"},
	} {
		if _, err := readUntil(reader, one.line); err != nil {
			return err
		}
		fmt.Fprintf(c, "%s\r\n", one.answer)
	}
	return nil
}

// submit sends one message: with TLS from the start over submissions, and after STARTTLS over submission.
func (v *visit) submit(name string) error {
	c, err := v.dial(name)
	if err != nil {
		return err
	}
	defer c.Close()
	id := strings.ReplaceAll(c.LocalAddr().String(), ":", "-") + "-" + name
	insecure := &tls.Config{InsecureSkipVerify: true}
	greeting := &firstLine{Conn: c}
	if name == "submissions" {
		greeting.Conn = tls.Client(c, insecure)
	}
	client, err := smtp.NewClient(greeting, "drill")
	if err != nil {
		return err
	}
	if err := v.check(string(greeting.text)); err != nil {
		return err
	}
	if name == "submission" {
		if err := client.StartTLS(insecure); err != nil {
			return err
		}
	}
	if err := send(client, id, "anna@example.test"); err != nil {
		return err
	}
	return wait("message "+id+" has not been delivered", 20*time.Second, func() bool { return delivered(v.instance.dir+"/mail", id) })
}

func send(client *smtp.Client, id, to string) error {
	if err := errors.Join(client.Mail("bert@example.org"), client.Rcpt(to)); err != nil {
		return err
	}
	w, err := client.Data()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "From: bert@example.org\r\nTo: %s\r\nSubject: %s\r\n\r\nhello\r\n", to, id)
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

// readIMAP logs in and reads the subject of the one message.
func readIMAP(v *visit) error {
	return v.talk("web", []exchange{
		{"", `^\* OK .*`},
		{"a LOGIN anna secret", `^a OK `},
		{"b SELECT INBOX", `^b OK `},
		{"c FETCH 1 BODY.PEEK[HEADER.FIELDS (SUBJECT)]", `^Subject: drill`},
		{"d LOGOUT", `^d OK `},
	})
}

// hear is a client that hears a greeting and takes its leave.
func hear(name, greeting string) func(*visit) error {
	return func(v *visit) error { return v.talk(name, []exchange{{"", greeting}, {"QUIT", "^221 "}}) }
}

// exchange is a line to send, if any, and what a line of the answer begins with.
type exchange struct{ line, answer string }

// talk holds a dialogue, whose first answer is a greeting with the word.
func (v *visit) talk(name string, dialogue []exchange) error {
	c, err := v.dial(name)
	if err != nil {
		return err
	}
	defer c.Close()
	reader := bufio.NewReader(c)
	for n, one := range dialogue {
		if one.line != "" {
			if _, err := fmt.Fprintf(c, "%s\r\n", one.line); err != nil {
				return err
			}
		}
		line, err := readUntil(reader, one.answer)
		if err != nil {
			return fmt.Errorf("%q: %w", one.line, err)
		}
		if n == 0 {
			if err := v.check(line); err != nil {
				return err
			}
		}
	}
	return nil
}

// readUntil reads lines until one matches.
func readUntil(r *bufio.Reader, pattern string) (string, error) {
	expression := regexp.MustCompile(pattern)
	for read := ""; ; {
		line, err := r.ReadString('\n')
		if err != nil {
			return "", fmt.Errorf("%w after %q", err, read)
		}
		if expression.MatchString(line) {
			return line, nil
		}
		read += line
	}
}
