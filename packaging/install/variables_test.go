package install

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
)

func TestVariablesFile(t *testing.T) {
	w := newWorld(t, false)
	site := w.site(t, "blog")
	site.Variables = []Variable{{"SERVER_ROOT", "/srv/my site"}, {"SERVER_INDEX_FILES", "index.html,index.htm"}}
	file, err := variablesFile(site, w.System)
	if err != nil {
		t.Fatal(err)
	}
	text := string(file.Text)
	if file.Path != "/etc/rouse/blog/rouse.env" || file.Mode != 0o644 {
		t.Errorf("%+v", file)
	}
	if !strings.HasPrefix(text, "# Written by rouse install (site blog); rouse uninstall blog removes it.\n\n# Set by rouse install:\nSERVER_ROOT=\"/srv/my site\"\nSERVER_INDEX_FILES=index.html,index.htm\n\n# Options of rouse-blog.service,") {
		t.Errorf("it begins with %.300q", text)
	}
	// What is set stands there once, and what is not is there with its default.
	for part, want := range map[string]int{
		"SERVER_ROOT=": 1, "SERVER_INDEX_FILES=": 1, "#SERVER_INDEX_FILES=": 0, "Files to serve for a folder": 0, "#SERVER_COMPRESSION=true\n": 1,
		" rouse.service": 0, " rouse.socket": 0, "rouse-blog-http.socket": 2, "/etc/rouse/tls.crt": 0, "/etc/rouse/blog/tls.crt": 1, "systemctl restart rouse-blog.service": 1,
	} {
		if got := strings.Count(text, part); got != want {
			t.Errorf("%q stands there %d times, want %d", part, got, want)
		}
	}
	if strings.Contains(text, "\n\n\n") || !strings.HasSuffix(text, "\n") || strings.HasSuffix(text, "\n\n") {
		t.Error("the paragraphs are torn")
	}
	w.User = true
	site.Command, site.Variables = "run", []Variable{{"SERVER_BASIC_AUTH", "me:$2y$hash"}}
	file, err = variablesFile(site, w.System)
	want := "# Written by rouse install (site blog); rouse uninstall --user blog removes it.\n\n# Set by rouse install:\nSERVER_BASIC_AUTH=\"me:\\$2y\\$hash\"\n"
	if err != nil || string(file.Text) != want || file.Mode != 0o600 {
		t.Errorf("%o %q, %v", file.Mode, file.Text, err)
	}
}

// Values are spelled so that a shell reads them as systemd does; it is the one of both that is here.
func TestQuoteVariable(t *testing.T) {
	for _, value := range []string{
		"", "plain", "/srv/www", "a b", `"`, `'`, `\`, `a\nb`, "$HOME", "`id`", "$(id)", "a;b", "#no", " lead", "trail ", "a=b", "50%", "two\nlines", "tab\there", "ü", "*", "~", "!x", `\\"$`,
	} {
		quoted, err := quoteVariable(Variable{"V", value})
		if err != nil {
			t.Error(err)
			continue
		}
		output, err := exec.CommandContext(t.Context(), "sh", "-c", "V="+quoted+"\nprintf %s. \"$V\"").Output()
		if err != nil || string(output) != value+"." {
			t.Errorf("%q becomes %s, and that %q, %v", value, quoted, output, err)
		}
	}
	for _, value := range []string{"\x00", "\x1b[1m", "\xff", "a\rb"} {
		_, err := quoteVariable(Variable{"V", value})
		if problem, ok := errors.AsType[Problem](err); !ok || !problem.Usage {
			t.Errorf("%q: %v", value, err)
		}
	}
}
