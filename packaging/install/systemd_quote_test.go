package install

import (
	"errors"
	"strings"
	"testing"
)

func TestCommandLine(t *testing.T) {
	for argument, want := range map[string]string{
		"--root=/srv/a_b-c.d": "--root=/srv/a_b-c.d",
		"":                    `""`,
		"two words":           `"two words"`,
		"50%":                 "50%%",
		"%n":                  "%%n",
		"$HOME":               "$$HOME",
		"${HOME}":             "$${HOME}",
		"$$":                  "$$$$",
		";":                   `";"`,
		"#":                   `"#"`,
		`"`:                   `"\""`,
		`it's`:                `"it's"`,
		`a\b`:                 `"a\\b"`,
		"a\nb\tc":             `"a\nb\tc"`,
		"a\rb\x7f":            `"a\x0db\x7f"`,
		"é\xff":               `"é\xff"`,
		"\ufffd":              "\"\ufffd\"",
	} {
		t.Run(argument, func(t *testing.T) {
			got, err := commandLine("/usr/bin/rouse", []string{argument})
			if err != nil || got != "/usr/bin/rouse "+want {
				t.Errorf("got %s, %v; want %s", got, err, want)
			}
		})
	}
}

// Dollars are not special in the path of the program.
func TestCommandLineProgram(t *testing.T) {
	got, err := commandLine("/opt/my $tools/100%/rouse", []string{"serve"})
	if want := `"/opt/my $tools/100%%/rouse" serve`; err != nil || got != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
	for _, program := range []string{`/opt/a"b`, "/opt/a'b", `/opt/a\b`, "/opt/a\nb"} {
		if got, err := commandLine(program, nil); err == nil {
			t.Errorf("%q: got %s; systemd takes no such path", program, got)
		}
	}
}

// A line that goes on begins neither with # nor with ;, which would make it a comment, and no line is longer than go-systemd reads.
func TestLongCommandLine(t *testing.T) {
	words := []string{strings.Repeat("a", 100), "#", strings.Repeat("b", 100), ";", strings.Repeat("c", 100)}
	got, err := commandLine("/usr/bin/rouse", words)
	want := strings.Join([]string{"/usr/bin/rouse \\", "    " + words[0] + ` "#" \`, "    " + words[2] + ` ";" \`, "    " + words[4]}, "\n")
	if err != nil || got != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
	for _, word := range []string{strings.Repeat("x", 3000), "a\x00b"} {
		_, err := commandLine("/usr/bin/rouse", []string{word})
		if problem, ok := errors.AsType[Problem](err); !ok || !problem.Usage {
			t.Errorf("%.10q…: %v, want a problem of the command line", word, err)
		}
	}
}

func TestBoundPath(t *testing.T) {
	for path, want := range map[string]string{
		"/home/me/site":     "/home/me/site",
		"/home/me/my si:te": `"/home/me/my si:te"`,
		"/home/me/100%":     "/home/me/100%%",
		`/home/me/a"b\c`:    `"/home/me/a\"b\\c"`,
	} {
		if got, err := boundPath(path); err != nil || got != want {
			t.Errorf("got %s, %v; want %s", got, err, want)
		}
	}
	if got, err := boundPath("/home/me/a\nb"); err == nil {
		t.Errorf("got %q", got)
	}
}
