package inetd

import (
	"errors"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rouse-server/rouse/activation"
)

// full writes an address with its options, sorted.
func full(a activation.Address) string {
	if len(a.Options) == 0 {
		return a.String()
	}
	options, _ := url.QueryUnescape(a.Options.Encode())
	return a.String() + "?" + options
}

func TestServices(t *testing.T) {
	for _, test := range []struct {
		line      string
		addresses []string
		want      Service // Name, Command, Path, Wait and the limits are compared
	}{
		{"ftp stream tcp nowait root /usr/sbin/ftpd ftpd -l",
			[]string{"tcp:0.0.0.0:21"}, Service{Path: "/usr/sbin/ftpd", Command: []string{"ftpd", "-l"}}},
		{"ssh stream tcp6 nowait root /usr/sbin/sshd sshd -i",
			[]string{"tcp:[::]:22?ipv6-only=yes"}, Service{Path: "/usr/sbin/sshd", Command: []string{"sshd", "-i"}}},
		{"smtp stream tcp46 nowait root /usr/sbin/exim4",
			[]string{"tcp::25"}, Service{Path: "/usr/sbin/exim4", Command: []string{"exim4"}}},
		{"tftp dgram udp wait root /usr/sbin/tftpd tftpd /srv",
			[]string{"udp:0.0.0.0:69"}, Service{Path: "/usr/sbin/tftpd", Command: []string{"tftpd", "/srv"}, Wait: true}},
		{"127.0.0.1,[::1]:8080 stream tcp46 nowait root /bin/cat cat",
			[]string{"tcp:127.0.0.1:8080", "tcp:[::1]:8080"}, Service{Path: "/bin/cat", Command: []string{"cat"}}},
		{"::1:8080 stream tcp6 nowait root /bin/cat cat",
			[]string{"tcp:[::1]:8080?ipv6-only=yes"}, Service{Path: "/bin/cat", Command: []string{"cat"}}},
		{"*:8080 stream tcp nowait.30 root /bin/cat cat",
			[]string{"tcp:0.0.0.0:8080"}, Service{Path: "/bin/cat", Command: []string{"cat"}, Rate: Rate{30, time.Minute}}},
		{"8080 stream tcp nowait:30 root /bin/cat cat",
			[]string{"tcp:0.0.0.0:8080"}, Service{Path: "/bin/cat", Command: []string{"cat"}, Rate: Rate{30, time.Minute}}},
		{"8080 stream tcp nowait/10/20/3 root /bin/cat cat",
			[]string{"tcp:0.0.0.0:8080"}, Service{Path: "/bin/cat", Command: []string{"cat"}, Most: 10, ClientRate: Rate{20, time.Minute}, PerClient: 3}},
		{"/run/x?.sock stream unix nowait root /bin/cat cat",
			[]string{"unix:/run/x?.sock"}, Service{Path: "/bin/cat", Command: []string{"cat"}}},
		{":root:daemon:0600:/run/x.sock stream unix nowait root /bin/cat cat",
			[]string{"unix:/run/x.sock?group=daemon&mode=0600&owner=root"}, Service{Path: "/bin/cat", Command: []string{"cat"}}},
		{`8080 stream tcp nowait root "/opt/a program" 'its name' "" 'and "more"'`,
			[]string{"tcp:0.0.0.0:8080"}, Service{Path: "/opt/a program", Command: []string{"its name", "", `and "more"`}}},
		{"8080\tstream\ttcp\n\t# a comment\n\tnowait root\n  /bin/cat cat", // continued
			[]string{"tcp:0.0.0.0:8080"}, Service{Path: "/bin/cat", Command: []string{"cat"}}},
	} {
		t.Run(test.line, func(t *testing.T) {
			entries, notices, err := parseServices("inetd.conf", "# first\n"+test.line+"\n")
			if err != nil || len(entries) != 1 || len(notices) > 0 {
				t.Fatalf("%d entries, %q, %v", len(entries), notices, err)
			}
			e := entries[0]
			var addresses []string
			for _, a := range e.Addresses {
				addresses = append(addresses, full(a))
			}
			if !slices.Equal(addresses, test.addresses) {
				t.Errorf("addresses %q, want %q", addresses, test.addresses)
			}
			s, want := e.Service, test.want
			if s.Path != want.Path || !slices.Equal(s.Command, want.Command) || s.Wait != want.Wait || s.Rate != want.Rate ||
				s.Most != want.Most || s.ClientRate != want.ClientRate || s.PerClient != want.PerClient {
				t.Errorf("service %+v, want %+v", s, want)
			}
			if e.Line != 2 || s.User == nil || *s.User != 0 || s.Group == nil || *s.Group != 0 {
				t.Errorf("line %d, user %v, group %v", e.Line, s.User, s.Group)
			}
		})
	}
}

func TestServiceOwners(t *testing.T) {
	for word, want := range map[string][2]uint32{"daemon": {1, 1}, "daemon:bin": {1, 2}, "daemon.bin": {1, 2}, "root:daemon/login": {0, 1}} {
		entries, _, err := parseServices("f", "8080 stream tcp nowait "+word+" /bin/cat cat\n")
		if err != nil || len(entries) != 1 {
			t.Errorf("%s: %v", word, err)
			continue
		}
		if s := entries[0].Service; *s.User != want[0] || *s.Group != want[1] {
			t.Errorf("%s: user %d, group %d; want %d", word, *s.User, *s.Group, want)
		}
	}
}

func TestServiceHosts(t *testing.T) {
	entries, _, err := parseServices("f", `
1 stream tcp nowait root /bin/cat cat
127.0.0.1:
2 stream tcp nowait root /bin/cat cat
127.0.0.2:3 stream tcp nowait root /bin/cat cat
*:
4 stream tcp nowait root /bin/cat cat
`)
	var got []string
	for _, e := range entries {
		got = append(got, e.Addresses[0].String())
	}
	if want := []string{"tcp:0.0.0.0:1", "tcp:127.0.0.1:2", "tcp:127.0.0.2:3", "tcp:0.0.0.0:4"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
}

func TestServiceProblems(t *testing.T) {
	for line, want := range map[string]string{
		"ftp":                                                                     "f:2: ftp: a type (stream or dgram) is missing",
		"ftp stream tcp nowait root":                                              "f:2: root: a program is missing",
		"ftp raw tcp nowait root /bin/cat":                                        "f:2: raw: sockets of this type",
		"ftp stream udp nowait root /bin/cat":                                     "f:2: udp: no protocol of stream sockets: write one of tcp, tcp4",
		"ftp stream sctp nowait root /bin/cat":                                    "f:2: sctp: no protocol",
		"rusersd/1-3 dgram rpc/udp wait root /bin/cat":                            "f:2: rpc/udp: services of RPC",
		"/run/x dgram unix wait root /bin/cat":                                    "f:2: unix: datagrams of unix",
		"x stream unix nowait root /bin/cat":                                      "f:2: x: the path of a unix socket begins",
		"ftp stream tcp now root /bin/cat":                                        "f:2: now: neither wait nor nowait",
		"ftp stream tcp nowait.x root /bin/cat":                                   "f:2: nowait.x: write the limits as",
		"ftp stream tcp nowait.1.2 root /bin/cat":                                 "f:2: nowait.1.2: write the limits as",
		"ftp stream tcp wait/1/2 root /bin/cat":                                   "f:2: wait/1/2: in wait mode",
		"tftp dgram udp nowait root /bin/cat":                                     "f:2: nowait: datagrams belong to no connection",
		"ftp stream tcp nowait nobody-here /bin/cat":                              "f:2: nobody-here: there is no user nobody-here",
		"ftp stream tcp nowait root:none-here /bin/cat":                           "f:2: root:none-here: there is no group none-here",
		"echo stream tcp nowait root internal":                                    "f:2: internal: no services are built in",
		"ftp stream tcp nowait root ftpd":                                         "f:2: ftpd: the path of a program",
		"no-such-service stream tcp nowait root /bin/cat":                         "f:2: no-such-service: there is no service",
		"0 stream tcp nowait root /bin/cat":                                       "f:2: 0: there is no service",
		"65536 stream tcp nowait root /bin/cat":                                   "f:2: 65536: there is no service",
		"tcpmux/+date stream tcp nowait root /bin/cat":                            "f:2: tcpmux/+date: the services of tcpmux",
		"[::1:21 stream tcp6 nowait root /bin/cat":                                "f:2: [::1:21: the bracket",
		"::1:21 stream tcp nowait root /bin/cat":                                  "f:2: ::1:21: ::1 is an address of IPv6",
		"127.0.0.1:21 stream tcp6 nowait root /bin/cat":                           "f:2: 127.0.0.1:21: 127.0.0.1 is an address of IPv4",
		"a?b:21 stream tcp nowait root /bin/cat":                                  "is no host",
		`ftp stream tcp nowait root /bin/cat "cat`:                                "the quotation mark is not closed",
		"ftp stream tcp nowait root /bin/cat\n21 stream tcp nowait root /bin/cat": "f:3: tcp:0.0.0.0:21: line 2 has it already",
	} {
		entries, _, err := parseServices("f", "\n"+line+"\n")
		if err == nil || !strings.Contains(err.Error(), want) || len(entries) > 0 || strings.Count(err.Error(), "\n") > 0 {
			t.Errorf("%s: %d entries, %v; want %q", line, len(entries), err, want)
		}
	}
}

func TestServiceNotices(t *testing.T) {
	entries, notices, err := parseServices("f", "#@ ipsec ah/require\n#@\nftp stream tcp,rcvbuf=16k nowait root /bin/cat\n\tcontinued\n")
	if err != nil || len(entries) != 1 || len(notices) != 2 || !strings.Contains(notices[0], "f:1: #@: ") || !strings.Contains(notices[1], "f:3: rcvbuf=16k: ") {
		t.Errorf("%d entries, %q, %v", len(entries), notices, err)
	}
}

func TestManyProblems(t *testing.T) {
	_, _, err := parseServices("f", strings.Repeat("x\n", 100))
	if lines := strings.Split(err.Error(), "\n"); len(lines) != mostProblems+1 || lines[mostProblems] != "… and 80 more" {
		t.Errorf("%d lines, the last %q", len(lines), lines[len(lines)-1])
	}
}

func TestReadServices(t *testing.T) {
	if _, _, err := ReadServices(t.TempDir() + "/none"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	path := t.TempDir() + "/inetd.conf"
	write(t, path, "ftp stream tcp nowait root /bin/cat\r\n", 0o644)
	if entries, _, err := ReadServices(path); err != nil || len(entries) != 1 || entries[0].File != path || entries[0].Line != 1 {
		t.Errorf("%v, %v", entries, err)
	}
	key := t.TempDir() + "/key.pem"
	write(t, key, "-----BEGIN PRIVATE KEY-----\nsecret\n", 0o600)
	if _, _, err := ReadServices(key); err == nil || !strings.Contains(err.Error(), "it is a PEM file") || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
}

func FuzzReadServices(f *testing.F) {
	for _, seed := range []string{
		"ftp stream tcp nowait root /usr/sbin/ftpd ftpd -l\n",
		"127.0.0.1:\n\tx\n*:8080 stream tcp46,sndbuf=1 nowait/1/2/3 root:daemon \"/bin/a b\" c 'd'\n",
		":root:wheel:0600:/run/x stream unix wait.3 daemon.bin /bin/cat\n#@ x\n # y\n z",
		"[::1],localhost:69 dgram udp6 wait nobody /bin/cat\r\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		entries, _, err := parseServices("f", text)
		if err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				if !strings.HasPrefix(line, "f:") && !strings.HasPrefix(line, "… and ") {
					t.Errorf("a problem without a place: %q", line)
				}
			}
			return
		}
		for _, e := range entries {
			if e.Line < 1 || len(e.Addresses) == 0 || e.Service.Path == "" || len(e.Service.Command) == 0 || e.Service.User == nil {
				t.Errorf("incomplete: %+v", e)
			}
		}
	})
}
