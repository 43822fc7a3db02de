package badinput

import (
	"regexp"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// Help and version are what one tries first. They belong on stdout, so that they can be piped, and are no failure.
func TestHelpAndVersion(t *testing.T) {
	const help = `(?s)\ARouse: .*\nusage: rouse \[DIR\] .*\n  -p, --port PORT .*\nexit codes: 0 done, 1 failed, 2 wrong command line, 78 wrong configuration\.\n\z`
	const version = `\Arouse \S+ go\S+ \w+/\w+\n\z`
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--help"}, help},
		{[]string{"-h"}, help},
		{[]string{"help"}, help},
		{[]string{"serve", "--help"}, help},
		{[]string{"serve", "-h"}, help},
		{[]string{"sockets", "--help"}, help},
		{[]string{"--port", "80", "--help"}, help},
		{[]string{"--version"}, version},
		{[]string{"-V"}, version},
		{[]string{"version"}, version},
	} {
		p := program.Start(t, program.Run{Args: c.args})
		code := p.Wait(soon).ExitCode()
		if out := p.Stdout.String(); code != 0 || p.Stderr.String() != "" || !regexp.MustCompile(c.want).MatchString(out) {
			t.Errorf("%q: exit code %d, on stdout\n%s\non stderr\n%s", c.args, code, out, p.Stderr)
		}
	}
}
