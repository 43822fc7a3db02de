package badinput

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// mistake is a value that an option does not take.
type mistake struct {
	option, value string
	says          string // of the value
	literal       string // how it stands in the file; else in quotation marks
	literally     string // what is said of it there; else says
}

// mistakes are wrong values of each option that not every text is a value of.
func mistakes() (all []mistake) {
	for _, option := range booleans() {
		all = append(all, mistake{option, "yes", "not true or false", "1", ""}, mistake{option, "TRUE", "not true or false", `"true"`, "not true or false without quotation marks"})
	}
	const times = "not a time span such as 30s, 5m or 1h; a bare number is seconds"
	for _, option := range []string{"drain-timeout", "idle-exit", "tls-handshake-timeout", "client-header-timeout", "client-body-timeout", "keepalive-timeout", "send-timeout", "reply-ttl"} {
		all = append(all, mistake{option, "soon", times, "", ""}, mistake{option, "-5s", times, "1.5", ""})
	}
	const port, host, number = "not a number from 0 to 65535", "not an IP address (IPv6 without brackets) or host name", "not a number from 0 on"
	const status, size, order = "not a status from 200 to 599", "not a size such as 65536, 64K, 32M or 1G", "not a number from 0 to 255: 0/1 name, 2/3 time, 4/5 size"
	for _, option := range []string{"max-connections", "max-connections-per-client", "max-handshakes", "max-open-files", "max-requests"} {
		all = append(all, mistake{option, "many", number, "-1", ""})
	}
	for _, option := range []string{"compression-cache", "reply-cache", "max-header-size", "max-target-size"} {
		all = append(all, mistake{option, "64X", size, "-1", ""})
	}
	const mode, archives = "not permissions in octal, such as 660, 0660 or 0o660", `"rar" is not one of targz, tarzst, zip`
	return append(all,
		mistake{"text-charset", "latin1", "not true, false or utf-8 (the only charset that is sent)", "", ""},
		mistake{"security-headers", "maybe", "not one of true, false", "", ""},
		mistake{"etag", "md5", "not one of true, false, content", "", ""},
		mistake{"mime-types", ".x", `".x" is not .EXT=TYPE, such as .glb=model/gltf-binary`, "", ""},
		mistake{"mime-types", ".x=text/plain,.y=z", `".y=z" is not .EXT=TYPE, such as .glb=model/gltf-binary`, `[".y=z"]`, ""},
		mistake{"maintenance-mode-status", "99", status, "99", ""},
		mistake{"maintenance-mode-status", "teapot", status, "600", ""},
		mistake{"fd", "three", number, "-1", ""},
		mistake{"threads-multiplier", "-1", number, "-1", ""},
		mistake{"max-blocking-threads", "many", number, "1.5", ""},
		mistake{"host", "a b", host, "", ""},
		mistake{"host", "[::1]", host, `["::1"]`, host},
		mistake{"port", "70000", port, "70000", ""},
		mistake{"port", "http", port, "true", ""},
		mistake{"https-redirect-host", "example.org:443", host, "", ""},
		mistake{"https-redirect-from-port", "-1", port, "-1", ""},
		mistake{"https-redirect-from-hosts", "example.org,b c", `"b c" is not an IP address (IPv6 without brackets) or host name`, "", ""},
		mistake{"unix-socket-mode", "888", mode, "888", ""},
		mistake{"unix-socket-mode", "4755", mode, "660", `a decimal number, in octal 1224: write "660" or 0o660`},
		mistake{"compression-level", "9", "not one of fastest, default, best", "9", ""},
		mistake{"landlock", "on", "not one of auto, off", "true", ""},
		mistake{"lane", "on", "not one of auto, off", "true", ""},
		mistake{"directory-listing-order", "256", order, "256", ""},
		mistake{"directory-listing-order", "name", order, "", ""},
		mistake{"directory-listing-format", "xml", "not one of html, json, auto", "", ""},
		mistake{"directory-listing-download", "targz,rar", archives, `["targz", "rar"]`, ""},
		mistake{"log-level", "loud", "not one of error, warn, info, debug, trace", "5", ""},
		mistake{"log-format", "xml", "not one of auto, human, json, logfmt", "", ""},
		mistake{"access-log-format", "clf", "not one of auto, human, json, logfmt, common, combined", "", ""},
		mistake{"trusted-proxies", "10.0.0.0/33", `"10.0.0.0/33" is not an IP address or a prefix such as 10.0.0.0/8`, "", ""},
		mistake{"trusted-proxies", "::1,proxy", `"proxy" is not an IP address or a prefix such as 10.0.0.0/8`, `["::1", "proxy"]`, ""},
		mistake{"grace-period", "256", "not a whole number of seconds from 0 to 255", "256", ""},
	)
}

// unfit are values that can be read, and that the server cannot use: they do not stand behind the option's name again.
func unfit() []mistake {
	const origin = `is not an origin: wanted are SCHEME://HOST or SCHEME://HOST:PORT and nothing behind it, such as https://example.com, or * for any`
	const name = `"a b" is not the name of a header: wanted are letters, digits and hyphens, such as content-type`
	const user = `, as htpasswd -nB USER prints it`
	const hashes = `accepted are bcrypt ($2y$), sha512-crypt ($6$), sha256-crypt ($5$) and apr1 ($apr1$); make one with: htpasswd -nB me`
	return []mistake{
		{"listen", "port:80", `unknown source "port" in address "port:80": sources are systemd, launchd, fd, inetd, tcp, udp, unix, handoff, dispatch`, "", ""},
		{"listen", "fd:x", `address "fd:x": write fd:N with the number of a descriptor that is passed, such as fd:3`, `["fd:x"]`, ""},
		{"cors-allow-origins", "example.com", `"example.com" ` + origin, "", ""},
		{"cors-allow-origins", "https://example.com/", `"https://example.com/" ` + origin, `["https://example.com/"]`, ""},
		{"cors-allow-headers", "x,a b", name, `["x", "a b"]`, ""},
		{"cors-expose-headers", "a b", name, "", ""},
		{"basic-auth", "secret", "there is no colon: wanted is USER:HASH" + user, "", ""},
		{"basic-auth", ":secret", "there is no user in front of the colon: wanted is USER:HASH" + user, "", ""},
		{"basic-auth", "me:secret", `user "me": what stands behind the colon is not a hash (a password in clear, perhaps, or a DES one): ` + hashes, "", ""},
		{"basic-auth", "me:$y$j9T$abc$def", `user "me": a hash of the kind $y$ is not accepted: ` + hashes, "", ""},
	}
}

// paths are options whose value is a file or folder; what is said of one that is not there, and whether it stops a start.
func paths() []mistake {
	const file, folder = "there is no such file: make it, or name another", "there is no such folder: make it, or name another"
	const log = "this file cannot be written to (not a directory): change that, or name another"
	return []mistake{
		{"root", "/nowhere", folder, "", ""},
		{"basic-auth-file", "/nowhere", file, "", ""},
		{"log-file", "/dev/null/log", log, "", ""},
		{"access-log", "/dev/null/log", log, "", ""},
	}
}

// others have tests of their own (in the file that is named), or take any text.
func others() map[string]string {
	return map[string]string{
		"index-files": "any text", "maintenance-mode-switch": "any text: it need not be there",
		"page404": "page_test.go", "page50x": "page_test.go", "page-fallback": "page_test.go", "maintenance-mode-file": "page_test.go",
		"unix-socket": "unixsocket_test.go", "config-file": "file_test.go", "check-config": "TestCheckConfigItself",
		"tls-cert": "certificate_test.go", "tls-key": "certificate_test.go", "http2-tls-cert": "certificate_test.go", "http2-tls-key": "certificate_test.go",
	}
}

func booleans() []string {
	return []string{"use-relative-root", "ignore-hidden-files", "disable-symlinks", "redirect-trailing-slash", "clean-urls", "accept-markdown", "site-rules",
		"spa", "maintenance-mode", "unix-socket-force", "tls", "http2", "https-redirect", "compression", "compression-static", "directory-listing",
		"cache-control-headers", "repr-digest", "health", "ready", "metrics", "log-with-ansi", "log-remote-address", "log-x-real-ip", "log-forwarded-for",
		"windows-service", "include-hidden", "follow-symlinks"}
}

// options lists those that this package knows.
func options() (all []string) {
	for _, one := range slices.Concat(mistakes(), unfit(), paths()) {
		all = append(all, one.option)
	}
	for option := range others() {
		all = append(all, option)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// variable is the name of an option's variable, if it has one.
func variable(option string) string {
	if option == "check-config" {
		return ""
	}
	named := map[string]string{"fd": "listen-fd", "page404": "error-page-404", "page50x": "error-page-50x", "page-fallback": "fallback-page"}[option] // static-web-server's words
	if named == "" {
		named = option
	}
	return "SERVER_" + strings.ToUpper(strings.ReplaceAll(named, "-", "_"))
}

// inFile is the option in a file, on its second line.
func (m mistake) inFile() (literal, says string) {
	literal, says = m.literal, m.literally
	if literal == "" {
		literal = strconv.Quote(m.value)
	}
	if says == "" {
		says = m.says
	}
	return literal, says
}

// spelled is the mistake as flag, as variable and in a file. The format makes a message of the option as it was spelled,
// what stands between it and its value there, the value, and what is said.
func (m mistake) spelled(format string, flag int) []refusal {
	env := []string{"SERVER_HOST=127.0.0.1", "SERVER_PORT=0"}
	env = slices.DeleteFunc(env, func(entry string) bool {
		return strings.HasPrefix(entry, variable(m.option)+"=") || m.option == "listen"
	})
	if m.option != "root" {
		env = append(env, "SERVER_ROOT=/")
	}
	literal, says := m.inFile()
	of := func(as, between, value, says string) string {
		return strings.NewReplacer("AS", as, "=", between, "VALUE", value, "SAYS", says).Replace(format)
	}
	name := variable(m.option)
	return []refusal{
		{name: "--" + m.option + "=" + m.value, args: []string{"--" + m.option + "=" + m.value}, env: env, checked: true, code: flag, want: of("--"+m.option, " ", m.value, m.says)},
		{name: name + "=" + m.value, env: append(slices.Clone(env), name+"="+m.value), checked: true, code: config, want: of(name, "=", m.value, m.says)},
		{name: m.option + " = " + literal, file: fmt.Sprintf("[general]\n%s = %s\n", m.option, literal), env: env, checked: true, code: config, want: of("sws.toml:2: "+m.option, " = ", literal, says)},
	}
}

// Whatever is wrong is told with the option as it was spelled, the value, and what is accepted; and rouse check tells the
// same.
func TestEveryOption(t *testing.T) {
	var refusals []refusal
	for _, m := range mistakes() {
		refusals = append(refusals, m.spelled("AS=VALUE: SAYS", usage)...)
	}
	for _, m := range unfit() {
		refusals = append(refusals, m.spelled("AS: SAYS", usage)...)
	}
	for _, m := range paths() {
		refusals = append(refusals, m.spelled("AS /"+strings.TrimPrefix(m.value, "/")+": SAYS", config)...)
	}
	refused(t, refusals)
}

// --check-config is no variable and no key.
func TestCheckConfigItself(t *testing.T) {
	refused(t, []refusal{
		{name: "value", args: []string{"--check-config=maybe"}, code: usage, want: "--check-config maybe: not true or false"},
		{name: "variable and key", env: []string{"SERVER_CHECK_CONFIG=true", "SERVER_HOST=127.0.0.1", "SERVER_PORT=0"}, file: "[general]\ncheck-config = true\nroot = '/nowhere'", code: config,
			notices: []string{"sws.toml:2: check-config is not a key of Rouse and is ignored", "SERVER_CHECK_CONFIG is not a variable of Rouse and is ignored"},
			want:    "sws.toml:3: root /nowhere: there is no such folder: make it, or name another"},
	})
}

// An option that comes new must get its place among these tests.
func TestEveryOptionIsTested(t *testing.T) {
	p := program.Start(t, program.Run{Args: []string{"--help"}})
	if code := p.Wait(soon).ExitCode(); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	var there []string
	for _, line := range regexp.MustCompile(`(?m)^  (?:-\w, |    )--([a-z0-9-]+)`).FindAllStringSubmatch(p.Stdout.String(), -1) {
		there = append(there, line[1])
	}
	slices.Sort(there)
	same(t, options(), there)
}
