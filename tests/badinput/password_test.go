package badinput

import "testing"

// A password file that says nothing usable must let nobody in by mistake, and no message shows what stands in it.
func TestPasswordFile(t *testing.T) {
	const good = "al:$2y$04$abcdefghijklmnopqrstuubAecMWGbmQxiv.1AEZk7PUTbAqyEGMO\n"
	const accepted = "accepted are bcrypt ($2y$), sha512-crypt ($6$), sha256-crypt ($5$) and apr1 ($apr1$); make one with: htpasswd -B FILE bob"
	const form = "wanted is USER:HASH, as htpasswd -nB USER prints it"
	var refusals []refusal
	for _, c := range []struct{ name, text, says string }{
		{"empty", "", "the password file FILE names no user, so that nobody could come in; add one with: htpasswd -B FILE USER"},
		{"comments", "# al\n\n", "the password file FILE names no user, so that nobody could come in; add one with: htpasswd -B FILE USER"},
		{"no colon", good + "bob\n", "FILE:2: there is no colon: " + form},
		{"no user", good + ":hash\n", "FILE:2: there is no user in front of the colon: " + form},
		{"in clear", "bob:secret\n", `FILE:1: user "bob": what stands behind the colon is not a hash (a password in clear, perhaps, or a DES one): ` + accepted},
		{"yescrypt", "bob:$y$j9T$secret$secret\n", `FILE:1: user "bob": a hash of the kind $y$ is not accepted: ` + accepted},
		{"SHA-1", "bob:{SHA}secret\n", `FILE:1: user "bob": a hash of the kind {SHA} is not accepted: ` + accepted},
		{"damaged", "bob:$2y$04$secret\n", `FILE:1: user "bob": the bcrypt hash is damaged: it is $2y$, two digits, $ and 53 letters; make one with: htpasswd -B FILE bob`},
		{"twice", good + "\n" + good, `FILE:3: user "al" was named before: leave one of the two out`},
	} {
		path := write(t, t.TempDir(), "htpasswd", c.text, 0o600)
		env := []string{"SERVER_HOST=127.0.0.1", "SERVER_PORT=0", "SERVER_ROOT=/"}
		says := replaced(c.says, "FILE", path)
		refusals = append(refusals,
			refusal{name: c.name, args: []string{"--basic-auth-file", path}, env: env, checked: true, code: config, want: "--basic-auth-file: " + says},
			refusal{name: c.name + ", by variable", env: append(env, "SERVER_BASIC_AUTH_FILE="+path), checked: true, code: config, want: "SERVER_BASIC_AUTH_FILE: " + says},
			refusal{name: c.name + ", by key", file: "[general]\nbasic-auth-file = '" + path + "'\n", env: env, checked: true, code: config, want: "sws.toml:2: basic-auth-file: " + says})
	}
	refused(t, refusals)
}
