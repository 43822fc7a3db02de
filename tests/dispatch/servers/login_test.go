package servers

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"
)

// logInSSH logs in with a key and runs a command.
func logInSSH(v *visit) error {
	text, err := os.ReadFile(v.fill("@dir@/key"))
	if err != nil {
		return err
	}
	signer, err := ssh.ParsePrivateKey(text)
	if err != nil {
		return err
	}
	c, err := v.dial("web")
	if err != nil {
		return err
	}
	defer c.Close()
	banner := ""
	conn, channels, requests, err := ssh.NewClientConn(c, "drill", &ssh.ClientConfig{
		User:            "drill",
		Auth:            []ssh.AuthMethod{ssh.PublicKeys(signer)},
		HostKeyCallback: v.sameHost,
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
	if want := strings.ReplaceAll(c.LocalAddr().String()+" "+c.RemoteAddr().String(), ":", " "); strings.TrimSpace(string(out)) != want {
		return fmt.Errorf("SSH_CONNECTION is %q, want %q", out, want)
	}
	return v.check(banner)
}

// sameHost holds that the host is the one whose key was made for this instance.
func (v *visit) sameHost(_ string, _ net.Addr, key ssh.PublicKey) error {
	text, err := os.ReadFile(v.fill("@dir@/host.pub"))
	if err != nil {
		return err
	}
	if !strings.HasPrefix(string(text), strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))) {
		return errors.New("another host key")
	}
	return nil
}
