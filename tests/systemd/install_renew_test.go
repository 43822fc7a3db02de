package systemd

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/load"
	"github.com/rouse-server/rouse/tests/program"
)

// expiring puts a pair in a site's folder, as Rouse has made it long ago: it ends in ten days.
func expiring(t *testing.T, folder string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{Organization: []string{"Rouse self-signed certificate"}, CommonName: "localhost"},
		NotBefore:    time.Now().Add(-387 * 24 * time.Hour), NotAfter: time.Now().Add(10 * 24 * time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(
		os.WriteFile(folder+"/tls.crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(folder+"/tls.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
	if err != nil {
		t.Fatal(err)
	}
}

// presented is the certificate that a server shows.
func presented(t *testing.T, address string) *x509.Certificate {
	t.Helper()
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0]
}

const (
	oldAddress = "127.0.0.1:9180"
	oldFolder  = "/etc/rouse/old"
	oldService = "rouse-old.service"
	oldRenewal = "rouse-old-renew.service"
)

// Without this the site would end with its certificate, a year from now, or people would be thrown out when it is renewed: the
// unit that the timer starts renews it, with its key, and nobody loses anything.
func TestInstallRenewal(t *testing.T) {
	t.Parallel()
	needsSystemd(t)
	site := []string{"--name=old", "--listen=https=" + oldAddress, "--idle-exit=0", folderWith(t, "/srv/old", "old\n")}
	installs(t, "old", site...)
	if state := property(t, "rouse-old-renew.timer", "ActiveState") + property(t, "rouse-old-renew.timer", "UnitFileState"); state != "activeenabled" {
		t.Errorf("the timer is %s", state)
	}
	if next := property(t, "rouse-old-renew.timer", "NextElapseUSecRealtime"); next == "" || next == "n/a" {
		t.Errorf("the timer never runs: %q", next)
	}
	made, _ := madeCertificate(t, "old")
	run(t, "systemctl", "start", oldRenewal)
	if now, _ := madeCertificate(t, "old"); !now.Equal(made) {
		t.Error("a fresh certificate was renewed")
	}
	if state := property(t, oldService, "ActiveState"); state != "inactive" {
		t.Errorf("the service that slept is %s", state)
	}
	expiring(t, oldFolder)
	renewsAmongClients(t)
	renewed, pool := madeCertificate(t, "old")
	if got := page(t, program.Client(t, pool).HTTP2, "https://localhost:9180/"); got != "old\n" {
		t.Errorf("it serves %q", got)
	}
	run(t, "systemd-analyze", "security", "--no-pager", "--offline=yes", "--threshold=10", "/etc/systemd/system/"+oldRenewal)
	again := append([]string{"install", "--host-name=127.0.0.1,localhost"}, site...)
	if said := rouse(t, again...); !strings.Contains(said, fingerprint(renewed)) || !presented(t, oldAddress).Equal(renewed) {
		t.Errorf("installed again for the same names: %s", said)
	}
	again[1] = "--host-name=www.example.org"
	rouse(t, again...)
	if shown := presented(t, oldAddress); strings.Join(shown.DNSNames, " ") != "www.example.org" {
		t.Errorf("installed again for another name, it shows a certificate for %q", shown.DNSNames)
	}
}

// renewsAmongClients renews a certificate that is about to end while clients come, none of whom may lose anything.
func renewsAmongClients(t *testing.T) {
	t.Helper()
	old, _ := madeCertificate(t, "old")
	key := content(t, oldFolder+"/tls.key")
	if !presented(t, oldAddress).Equal(old) {
		t.Fatal("the service shows another certificate")
	}
	pid, crowd := mainOf(t, oldService), &load.Load{}
	crowd.NewConnections(4, func() (net.Conn, error) {
		return tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", oldAddress, &tls.Config{InsecureSkipVerify: true})
	})
	crowd.Await(t, 50, patience)
	run(t, "systemctl", "start", oldRenewal)
	crowd.Await(t, 50, patience)
	if answered, lost := crowd.End(); len(lost) > 0 {
		t.Errorf("%d of %d requests were lost; the first: %v", len(lost), answered, lost[0])
	}
	renewed, _ := madeCertificate(t, "old")
	if !presented(t, oldAddress).Equal(renewed) || renewed.Equal(old) || mainOf(t, oldService) == pid {
		t.Error("the service has not taken the new certificate")
	}
	if content(t, oldFolder+"/tls.key") != key || !old.PublicKey.(*ecdsa.PublicKey).Equal(renewed.PublicKey) {
		t.Error("the key is another one: who trusts it has to do so again")
	}
	if time.Until(renewed.NotAfter) < 390*24*time.Hour || strings.Join(renewed.DNSNames, " ") != "localhost" {
		t.Errorf("it is for %q until %v", renewed.DNSNames, renewed.NotAfter)
	}
}

// A certificate that somebody else put there is theirs: it is not renewed, and uninstall keeps it.
func TestInstallRenewalLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	needsSystemd(t)
	const folder = "/etc/rouse/bought"
	installs(t, "bought", "--name=bought", "--listen=https=127.0.0.1:9181", folderWith(t, "/srv/bought", "bought\n"))
	t.Cleanup(func() {
		rouse(t, "uninstall", "bought")
		if content(t, folder+"/tls.key.edited") == "" || content(t, folder+"/tls.crt.edited") == "" {
			t.Errorf("uninstall has not kept them: %q", tracesOf(t, "bought"))
		}
		os.RemoveAll(folder)
	})
	pool := newCertificate(t, folder) // ends tomorrow
	bought := content(t, folder+"/tls.crt")
	run(t, "systemctl", "start", "rouse-bought-renew.service")
	if said := rouse(t, "renew", "--within=9527h30m", "bought"); content(t, folder+"/tls.crt") != bought || !strings.Contains(said, "not of Rouse's making") {
		t.Errorf("it was renewed: %s", said)
	}
	if got := page(t, program.Client(t, pool).HTTP2, "https://localhost:9181/"); got != "bought\n" {
		t.Errorf("it serves %q", got)
	}
}
