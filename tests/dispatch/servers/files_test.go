package servers

import (
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"
	"time"
)

// fileServers are those for files that open connections beside the one on which a client came.
func fileServers() []server {
	return []server{{
		name:     "vsftpd, passive and active",
		packages: []string{"vsftpd"},
		version:  "/usr/sbin/vsftpd -version 0>&1",
		way:      byRun,
		always:   true,
		files: map[string]string{"pub/word": "@word@\n", "vsftpd.conf": `
listen=YES
listen_port=@web@
background=NO
anonymous_enable=YES
no_anon_password=YES
anon_root=@dir@/pub
ftpd_banner=@word@
xferlog_enable=YES
log_ftp_protocol=YES
vsftpd_log_file=@dir@/vsftpd.log
connect_from_port_20=YES
pasv_min_port=20000
pasv_max_port=20999
seccomp_sandbox=NO
`},
		command: []string{"/usr/sbin/vsftpd", "@dir@/vsftpd.conf"},
		network: `listen = ["198.51.100.0/24:20", "198.51.100.0/24:20000-20999"]` + "\n" + `connect = ["198.51.100.9:1024-65535"]`,
		sockets: web(),
		client:  fetchFTP,
		load:    greetFTP,
		logFile: "@dir@/vsftpd.log",
		peer:    `CONNECT: Client "@ip@"`,
		abrupt:  true,
	}}
}

// greetFTP logs in.
func greetFTP(v *visit) error {
	c, control, err := v.logInFTP()
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = say(control, 221, "QUIT")
	return err
}

func (v *visit) logInFTP() (net.Conn, *textproto.Conn, error) {
	c, err := v.dial("web")
	if err != nil {
		return nil, nil, err
	}
	control := textproto.NewConn(c)
	_, banner, err := control.ReadResponse(220)
	if err == nil {
		err = v.check(banner)
	}
	if err == nil {
		_, err = say(control, 230, "USER anonymous")
	}
	if err != nil {
		c.Close()
		return nil, nil, err
	}
	return c, control, nil
}

// fetchFTP logs in and fetches a file twice: over a connection that the client makes, and over one that the server makes.
func fetchFTP(v *visit) error {
	c, control, err := v.logInFTP()
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := say(control, 200, "TYPE I"); err != nil {
		return err
	}
	if err := v.passive(control); err != nil {
		return fmt.Errorf("passive: %w", err)
	}
	if err := v.active(control); err != nil {
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
func (v *visit) passive(control *textproto.Conn) error {
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
	if !strings.HasPrefix(address, v.address+":") {
		return fmt.Errorf("the server names %s for data, want its own address %s", address, v.address)
	}
	dialer := net.Dialer{Timeout: 10 * time.Second, LocalAddr: &net.TCPAddr{IP: net.ParseIP(addressClient)}}
	data, err := dialer.Dial("tcp4", address)
	if err != nil {
		return err
	}
	defer data.Close()
	return v.transfer(control, func() (net.Conn, error) { return data, nil })
}

// active lets the server connect.
func (v *visit) active(control *textproto.Conn) error {
	l, err := net.Listen("tcp4", addressClient+":0")
	if err != nil {
		return err
	}
	defer l.Close()
	_ = l.(*net.TCPListener).SetDeadline(time.Now().Add(10 * time.Second))
	port := l.Addr().(*net.TCPAddr).Port
	if _, err := say(control, 200, "PORT %s,%d,%d", strings.ReplaceAll(addressClient, ".", ","), port>>8, port&255); err != nil {
		return err
	}
	return v.transfer(control, func() (net.Conn, error) {
		c, err := l.Accept()
		if err != nil {
			return nil, err
		}
		if host, _, _ := net.SplitHostPort(c.RemoteAddr().String()); host != v.address {
			return nil, fmt.Errorf("the server connects from %s, want its own address %s", c.RemoteAddr(), v.address)
		}
		return c, nil
	})
}

// transfer fetches the file over the data connection.
func (v *visit) transfer(control *textproto.Conn, open func() (net.Conn, error)) error {
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
	return v.check(string(text))
}
