package servers

import (
	"bufio"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"os"
	"regexp"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// loginServers are those where clients log in and stay.
func loginServers() []server {
	return append([]server{
		{
			name:     "OpenSSH -D",
			packages: []string{"openssh-server"},
			version:  "/usr/sbin/sshd -V",
			files: map[string]string{"banner": "@word@\n", "sshd_config": `
Port @web@
ListenAddress 127.0.0.1
HostKey @dir@/host
AuthorizedKeysFile @dir@/authorized
StrictModes no
PidFile none
UsePAM no
Banner @dir@/banner
PermitRootLogin yes
`},
			prepare:  "ssh-keygen -q -t ed25519 -N '' -f host",
			command:  []string{"/usr/sbin/sshd", "-D", "-e", "-f", "@dir@/sshd_config"},
			sockets:  []socket{{name: "web", network: "tcp4", port: 2222}},
			client:   logInSSH,
			peer:     `Accepted publickey for root from @ip@ port @port@`,
			reload:   "HUP",
			reloaded: `Received SIGHUP; restarting`,
		},
		{
			name:     "vsftpd, passive and active",
			packages: []string{"vsftpd"},
			version:  "/usr/sbin/vsftpd -version 0>&1",
			files: map[string]string{"pub/word": "@word@\n", "vsftpd.conf": `
listen=YES
listen_address=127.0.0.1
listen_port=@web@
background=NO
anonymous_enable=YES
no_anon_password=YES
anon_root=@dir@/pub
ftpd_banner=@word@
xferlog_enable=YES
log_ftp_protocol=YES
vsftpd_log_file=@dir@/vsftpd.log
connect_from_port_20=NO
seccomp_sandbox=NO
`},
			command: []string{"/usr/sbin/vsftpd", "@dir@/vsftpd.conf"},
			sockets: []socket{{name: "web", network: "tcp4", port: 2121}},
			client:  fetchFTP,
			logFile: "@dir@/vsftpd.log",
			peer:    `CONNECT: Client "@ip@"`,
			reload:  "HUP",
		},
	}, dovecot()...)
}

// logInSSH logs in with a key and runs a command.
func logInSSH(d *drill) error {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		return err
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		return err
	}
	if err := os.WriteFile(d.dir+"/authorized", ssh.MarshalAuthorizedKey(key), 0o600); err != nil {
		return err
	}
	c, err := d.dial("web")
	if err != nil {
		return err
	}
	defer c.Close()
	banner := ""
	conn, channels, requests, err := ssh.NewClientConn(c, "drill", &ssh.ClientConfig{
		User:            "root",
		Auth:            []ssh.AuthMethod{ssh.PublicKeys(signer)},
		HostKeyCallback: d.sameHost,
		BannerCallback:  func(text string) error { banner = text; return nil },
	})
	if err != nil {
		return err
	}
	client := ssh.NewClient(conn, channels, requests)
	defer client.Close()
	session, err := client.NewSession()
	if err != nil {
		return err
	}
	defer session.Close()
	out, err := session.Output("echo $SSH_CONNECTION")
	if err != nil {
		return err
	}
	if want := strings.NewReplacer(":", " ").Replace(c.LocalAddr().String() + " " + c.RemoteAddr().String()); strings.TrimSpace(string(out)) != want {
		return fmt.Errorf("SSH_CONNECTION is %q, want %q", out, want)
	}
	return d.check(banner)
}

// sameHost holds that the host is the one whose key was made for this drill.
func (d *drill) sameHost(_ string, _ net.Addr, key ssh.PublicKey) error {
	text, err := os.ReadFile(d.dir + "/host.pub")
	if err != nil {
		return err
	}
	if !strings.HasPrefix(string(text), strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))) {
		return errors.New("another host key")
	}
	return nil
}

// fetchFTP logs in and fetches a file twice: over a connection that the client makes, and over one that the server makes.
func fetchFTP(d *drill) error {
	c, err := d.dial("web")
	if err != nil {
		return err
	}
	defer c.Close()
	control := textproto.NewConn(c)
	_, banner, err := control.ReadResponse(220)
	if err != nil {
		return err
	}
	if err := d.check(banner); err != nil {
		return err
	}
	for _, login := range []struct {
		line string
		code int
	}{{"USER anonymous", 230}, {"TYPE I", 200}} {
		if _, err := say(control, login.code, "%s", login.line); err != nil {
			return err
		}
	}
	if err := d.passive(control); err != nil {
		return fmt.Errorf("passive: %w", err)
	}
	if err := d.active(control); err != nil {
		return fmt.Errorf("active: %w", err)
	}
	_, err = say(control, 221, "QUIT")
	return err
}

// say sends a line of a protocol and returns the answer, which must have the code.
func say(c *textproto.Conn, code int, format string, values ...any) (string, error) {
	if err := c.PrintfLine(format, values...); err != nil {
		return "", err
	}
	_, text, err := c.ReadResponse(code)
	if err != nil {
		return "", fmt.Errorf("%s: %w", fmt.Sprintf(format, values...), err)
	}
	return text, nil
}

// passive fetches from the address that the server names.
func (d *drill) passive(control *textproto.Conn) error {
	text, err := say(control, 227, "PASV")
	if err != nil {
		return err
	}
	var a, b, c, e, high, low int
	_, numbers, _ := strings.Cut(text, "(")
	if _, err := fmt.Sscanf(numbers, "%d,%d,%d,%d,%d,%d", &a, &b, &c, &e, &high, &low); err != nil {
		return fmt.Errorf("%q: %w", text, err)
	}
	address := fmt.Sprintf("%d.%d.%d.%d:%d", a, b, c, e, high<<8|low)
	if !strings.HasPrefix(address, "127.0.0.1:") {
		return fmt.Errorf("the server names %s for data, want its own address 127.0.0.1", address)
	}
	dialer := net.Dialer{Timeout: 10 * time.Second, LocalAddr: &net.TCPAddr{IP: net.ParseIP(clientV4)}}
	data, err := dialer.Dial("tcp4", address)
	if err != nil {
		return err
	}
	defer data.Close()
	return d.transfer(control, func() (net.Conn, error) { return data, nil })
}

// active lets the server connect.
func (d *drill) active(control *textproto.Conn) error {
	l, err := net.Listen("tcp4", clientV4+":0")
	if err != nil {
		return err
	}
	defer l.Close()
	_ = l.(*net.TCPListener).SetDeadline(time.Now().Add(10 * time.Second))
	port := l.Addr().(*net.TCPAddr).Port
	if _, err := say(control, 200, "PORT %s,%d,%d", strings.ReplaceAll(clientV4, ".", ","), port>>8, port&255); err != nil {
		return err
	}
	return d.transfer(control, l.Accept)
}

// transfer fetches the file over the data connection.
func (d *drill) transfer(control *textproto.Conn, open func() (net.Conn, error)) error {
	if _, err := say(control, 150, "RETR word"); err != nil {
		return err
	}
	data, err := open()
	if err != nil {
		return err
	}
	defer data.Close()
	_ = data.SetDeadline(time.Now().Add(10 * time.Second))
	text, err := io.ReadAll(data)
	if err != nil {
		return err
	}
	if _, _, err := control.ReadResponse(226); err != nil {
		return err
	}
	return d.check(string(text))
}

func dovecot() []server {
	row := func(protocol string, port int, client func(*drill) error) server {
		return server{
			name:     "Dovecot " + protocol,
			packages: []string{"dovecot-" + map[string]string{"imap": "imapd", "pop3": "pop3d"}[protocol]},
			version:  "dovecot --version",
			files: map[string]string{"passwd": "anna:{PLAIN}secret\n", "dovecot.conf": `
protocols = ` + protocol + `
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
service ` + protocol + `-login {
  inet_listener ` + protocol + ` {
    port = @web@
  }
  inet_listener ` + protocol + `s {
    port = 0
  }
}
`},
			prepare: "mkdir -p mail/new mail/cur mail/tmp; printf 'Subject: drill\\n\\nhello\\n' >mail/new/1; chown -R www-data mail",
			command: []string{"/usr/sbin/dovecot", "-F", "-c", "@dir@/dovecot.conf"},
			sockets: []socket{{name: "web", network: "tcp4", port: port}},
			client:  client,
			logFile: "@dir@/dovecot.log",
			peer:    protocol + `-login: Info: Login: .*rip=@ip@, lip=127.0.0.1`,
			reload:  "HUP",
		}
	}
	return []server{row("imap", 143, readIMAP), row("pop3", 110, readPOP3)}
}

// readIMAP logs in and reads the subject of the one message.
func readIMAP(d *drill) error {
	return d.talk([]exchange{
		{"", `^\* OK .*`},
		{"a LOGIN anna secret", `^a OK `},
		{"b SELECT INBOX", `^b OK `},
		{"c FETCH 1 BODY.PEEK[HEADER.FIELDS (SUBJECT)]", `^Subject: drill`},
		{"d LOGOUT", `^d OK `},
	})
}

// readPOP3 logs in and reads the one message.
func readPOP3(d *drill) error {
	return d.talk([]exchange{
		{"", `^\+OK `},
		{"USER anna", `^\+OK`},
		{"PASS secret", `^\+OK`},
		{"RETR 1", `^Subject: drill`},
		{"QUIT", `^\+OK`},
	})
}

// exchange is a line to send, if any, and what a line of the answer begins with.
type exchange struct{ line, answer string }

// talk holds a dialogue, whose first answer is a greeting with the word.
func (d *drill) talk(dialogue []exchange) error {
	c, err := d.dial("web")
	if err != nil {
		return err
	}
	defer c.Close()
	reader := bufio.NewReader(c)
	for i, one := range dialogue {
		if one.line != "" {
			if _, err := fmt.Fprintf(c, "%s\r\n", one.line); err != nil {
				return err
			}
		}
		line, err := readUntil(reader, one.answer)
		if err != nil {
			return fmt.Errorf("%q: %w", one.line, err)
		}
		if i == 0 {
			if err := d.check(line); err != nil {
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
