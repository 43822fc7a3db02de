package faults

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// outHello is a ClientHello (RFC 5246 §7.4.1.2) of TLS 1.2 at most, which the test's own library would not write.
type outHello struct {
	version     uint16
	ciphers     []uint16
	compression []byte
	alpn        []string
}

// bytes is the hello in its record.
func (h outHello) bytes() []byte {
	vector := func(size int, content []byte) []byte { // with its length in front
		length := binary.BigEndian.AppendUint32(nil, uint32(len(content)))
		return append(length[4-size:], content...)
	}
	u16 := func(values ...uint16) (all []byte) {
		for _, v := range values {
			all = binary.BigEndian.AppendUint16(all, v)
		}
		return all
	}
	extension := func(kind uint16, content []byte) []byte { return append(u16(kind), vector(2, content)...) }
	extensions := extension(10, vector(2, u16(29, 23)))
	extensions = append(extensions, extension(11, []byte{1, 0})...)
	extensions = append(extensions, extension(13, vector(2, u16(0x0403, 0x0804, 0x0401, 0x0203, 0x0201)))...)
	if len(h.alpn) > 0 {
		var names []byte
		for _, name := range h.alpn {
			names = append(names, vector(1, []byte(name))...)
		}
		extensions = append(extensions, extension(16, vector(2, names))...)
	}
	compression := h.compression
	if compression == nil {
		compression = []byte{0}
	}
	body := append(u16(h.version), make([]byte, 32)...)
	body = append(body, 0) // no session
	body = append(body, vector(2, u16(h.ciphers...))...)
	body = append(body, vector(1, compression)...)
	body = append(body, vector(2, extensions)...)
	record := append([]byte{22}, u16(min(h.version, 0x0301))...)
	return append(record, vector(2, append([]byte{1}, vector(3, body)...))...)
}

// outAnswerTo sends bytes and tells what comes first: "alert N", "hello VERSION CIPHER COMPRESSION" or "closed".
func outAnswerTo(t *testing.T, address string, hello []byte) string {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, outLimit)
	outMust(t, err)
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(outLimit))
	conn.Write(hello)
	head := make([]byte, 5)
	if _, err := io.ReadFull(conn, head); err != nil {
		if wait, ok := err.(net.Error); ok && wait.Timeout() {
			return "silence"
		}
		return "closed"
	}
	body := make([]byte, binary.BigEndian.Uint16(head[3:]))
	io.ReadFull(conn, body)
	switch {
	case head[0] == 21 && len(body) == 2:
		return fmt.Sprintf("alert %d", body[1])
	case head[0] == 22 && len(body) > 39 && body[0] == 2:
		at := 39 + int(body[38])
		return fmt.Sprintf("hello %04x %04x %d", binary.BigEndian.Uint16(body[4:]), binary.BigEndian.Uint16(body[at:]), body[at+2])
	}
	return fmt.Sprintf("%d %x", head[0], body[:min(len(body), 20)])
}

// Nobody is talked into old TLS or weak ciphers.
func TestOutTLSDowngrade(t *testing.T) {
	t.Parallel()
	dir := outSite(t)
	good := []uint16{0xc02b, 0xc02f, 0xcca9, 0xc02c}
	for _, s := range outPair(t, "--root", filepath.Join(dir, "site")) {
		for name, c := range map[string]struct {
			hello outHello
			want  string
		}{
			"SSL 3.0": {outHello{version: 0x0300, ciphers: good}, "alert 70"}, "TLS 1.0": {outHello{version: 0x0301, ciphers: append(good, 0xc009, 0xc00a, 0x2f)}, "alert 70"}, "TLS 1.1": {outHello{version: 0x0302, ciphers: append(good, 0xc009)}, "alert 70"},
			"TLS 1.2": {outHello{version: 0x0303, ciphers: good}, "hello 0303"}, "TLS of the future": {outHello{version: 0x0399, ciphers: good}, "hello 0303"},
			"fallback": {outHello{version: 0x0303, ciphers: append(good[:4:4], 0x5600)}, "alert 86"},
			"RC4":      {outHello{version: 0x0303, ciphers: []uint16{0x0005, 0x0004, 0xc007, 0xc011}}, "alert 40"}, "3DES": {outHello{version: 0x0303, ciphers: []uint16{0x000a, 0xc008, 0xc012, 0x0016}}, "alert 40"}, "export": {outHello{version: 0x0303, ciphers: []uint16{0x0003, 0x0006, 0x0008, 0x0014, 0x0017, 0x0062, 0x0064}}, "alert 40"},
			"null and anonymous": {outHello{version: 0x0303, ciphers: []uint16{0x0000, 0x0001, 0x0002, 0x003b, 0x0018, 0x0034, 0x003a, 0xc010, 0xc006, 0xc018}}, "alert 40"}, "no forward secrecy": {outHello{version: 0x0303, ciphers: []uint16{0x002f, 0x0035, 0x003c, 0x009c, 0x009d}}, "alert 40"}, "finite fields": {outHello{version: 0x0303, ciphers: []uint16{0x0033, 0x0039, 0x009e, 0x009f, 0x0067}}, "alert 40"},
			"compression too": {outHello{version: 0x0303, ciphers: good, compression: []byte{1, 0}}, "hello 0303"}, "compression only": {outHello{version: 0x0303, ciphers: good, compression: []byte{1}}, "alert"},
			"another protocol": {outHello{version: 0x0303, ciphers: good, alpn: []string{"smtp", "ftp", "imap"}}, "alert 120"}, "a protocol in capitals": {outHello{version: 0x0303, ciphers: good, alpn: []string{"HTTP/1.1", "H2"}}, "alert 120"}, "h2c over TLS": {outHello{version: 0x0303, ciphers: good, alpn: []string{"h2c"}}, "alert 120"},
		} {
			got := outAnswerTo(t, s.secure, c.hello.bytes())
			if !strings.HasPrefix(got, c.want) || strings.HasPrefix(got, "hello") && !strings.HasSuffix(got, " 0") {
				t.Errorf("%s: %s is answered with %s, want %s", s.name, name, got, c.want)
			}
		}
		for name, text := range map[string]string{"SSL 2": "802e0100020015000000100100800200800300800400800600400700c0" + strings.Repeat("00", 20), "HTTP": hex.EncodeToString([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))} {
			hello, err := hex.DecodeString(text)
			outMust(t, err)
			if got := outAnswerTo(t, s.secure, hello); strings.HasPrefix(got, "hello") || got == "silence" {
				t.Errorf("%s: %s is answered with %s", s.name, name, got)
			}
		}
		if _, err := exec.LookPath("openssl"); err == nil {
			cmd := exec.CommandContext(t.Context(), "openssl", "s_client", "-connect", s.secure, "-tls1_2", "-legacy_renegotiation")
			cmd.Stdin = strings.NewReader("R\n")
			var said bytes.Buffer
			cmd.Stdout, cmd.Stderr = &said, &said
			cmd.Run()
			if text := said.String(); !strings.Contains(text, "RENEGOTIATING") || !strings.Contains(text, "no renegotiation") && !strings.Contains(text, ":error:") {
				t.Errorf("%s: renegotiation: %s", s.name, text)
			}
		}
	}
	tell(t, row{Kind: "out", What: "TLS downgrade", Tried: "SSL 2 and 3, TLS 1.0 and 1.1, RC4, 3DES, export, null, anonymous, static RSA, DHE, compression, fallback, renegotiation, foreign ALPN", Rouse: "refused, each with its alert"})
}

// What sslscan finds is TLS 1.2 and 1.3 with strong ciphers, and nothing else.
func TestOutSSLScan(t *testing.T) {
	t.Parallel()
	root := os.Getenv("ROUSE_TEST_SSLSCAN")
	if root == "" {
		t.Skip("no sslscan here; tests/setup.sh gets one")
	}
	s := outStart(t, "lane", "--root", filepath.Join(outSite(t), "site"))
	text, err := exec.CommandContext(t.Context(), filepath.Join(root, "usr/bin/sslscan"), "--xml=-", "--no-colour", s.secure).Output()
	outMust(t, err)
	var found struct {
		Test struct {
			Protocols []struct {
				Type    string `xml:"type,attr"`
				Version string `xml:"version,attr"`
				Enabled int    `xml:"enabled,attr"`
			} `xml:"protocol"`
			Compression struct {
				Supported int `xml:"supported,attr"`
			} `xml:"compression"`
			Renegotiation struct {
				Supported int `xml:"supported,attr"`
			} `xml:"renegotiation"`
			Heartbleed []struct {
				Vulnerable int `xml:"vulnerable,attr"`
			} `xml:"heartbleed"`
			Ciphers []struct {
				Version  string `xml:"sslversion,attr"`
				Bits     int    `xml:"bits,attr"`
				Name     string `xml:"cipher,attr"`
				Strength string `xml:"strength,attr"`
			} `xml:"cipher"`
		} `xml:"ssltest"`
	}
	outMust(t, xml.Unmarshal(text, &found))
	if len(found.Test.Protocols) < 4 || len(found.Test.Ciphers) < 3 || found.Test.Compression.Supported != 0 || found.Test.Renegotiation.Supported != 0 {
		t.Errorf("it finds\n%s", text)
	}
	for _, p := range found.Test.Protocols {
		if (p.Enabled != 0) != (p.Type == "tls" && (p.Version == "1.2" || p.Version == "1.3")) {
			t.Errorf("%s %s: %d", p.Type, p.Version, p.Enabled)
		}
	}
	for _, h := range found.Test.Heartbleed {
		if h.Vulnerable != 0 {
			t.Error("heartbleed")
		}
	}
	for _, c := range found.Test.Ciphers {
		if c.Bits < 128 || c.Strength != "strong" && c.Strength != "acceptable" || strings.Contains(c.Name, "RC4") || strings.Contains(c.Name, "DES") {
			t.Errorf("%+v", c)
		}
	}
	tell(t, row{Kind: "out", What: "sslscan", Tried: "all protocols and ciphers that it knows", Rouse: fmt.Sprintf("TLS 1.2 and 1.3 with %d ciphers, no compression, no renegotiation", len(found.Test.Ciphers))})
}
