package install

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rouse-server/rouse/packaging"
)

// variablesFile is the site's file of options, which EnvironmentFile= reads. For serve the shipped one follows, with what every
// other option means, and without those that are set: each stands there once.
func variablesFile(site Site, sys System) (File, error) {
	paths := sys.Paths(site.Name)
	file := File{Path: paths.Variables, Mode: 0o644}
	var b strings.Builder
	b.WriteString(heading(site.Name, sys) + "\n")
	if len(site.Variables) > 0 {
		b.WriteString("\n# Set by rouse install:\n")
	}
	var set []string
	for _, v := range site.Variables {
		value, err := quoteVariable(v)
		if err != nil {
			return File{}, err
		}
		b.WriteString(v.Name + "=" + value + "\n")
		set = append(set, v.Name)
		if v.Name == "SERVER_BASIC_AUTH" { // a name and the hash of its password
			file.Mode = 0o600
		}
	}
	if site.Command == "serve" {
		shipped, err := fs.ReadFile(packaging.Files(), "systemd/rouse.env")
		if err != nil {
			return File{}, err
		}
		b.WriteString("\n" + siteWords(withoutVariables(string(shipped), set), site.Name, sys))
	}
	file.Text = []byte(b.String())
	return file, nil
}

// withoutVariables drops the variables of these names, each with the comment above it. Paragraphs are apart by an empty line.
func withoutVariables(text string, names []string) string {
	paragraphs := strings.Split(strings.TrimSuffix(text, "\n"), "\n\n")
	paragraphs = slices.DeleteFunc(paragraphs, func(paragraph string) bool {
		last := paragraph[strings.LastIndexByte(paragraph, '\n')+1:]
		name, _, found := strings.Cut(strings.TrimPrefix(last, "#"), "=")
		return found && slices.Contains(names, name)
	})
	return strings.Join(paragraphs, "\n\n") + "\n"
}

// siteWords puts the site's units and files for the shipped ones in what the comments say.
func siteWords(text, name string, sys System) string {
	paths := sys.Paths(name)
	control := "systemctl "
	if sys.User {
		control = "systemctl --user "
	}
	return strings.NewReplacer(
		"rouse-http.socket", "rouse-"+name+"-http.socket",
		"rouse.socket", "rouse-"+name+".socket",
		"rouse.service", "rouse-"+name+".service",
		"/etc/rouse/tls.crt", paths.Chain,
		"/etc/rouse/tls.key", paths.Key,
		"/etc/rouse/rouse.env", paths.Variables,
		"systemctl ", control,
	).Replace(text)
}

// quoteVariable spells a value as EnvironmentFile= of systemd.exec(5) reads it, and a shell too: in double quotes where anything
// could mean something, with a backslash before what means something even there.
func quoteVariable(v Variable) (string, error) {
	// What systemd would not take: it drops such a variable with a warning (env_value_is_valid in src/basic/env-util.c).
	odd := func(r rune) bool { return r != '\t' && r != '\n' && unicode.IsControl(r) }
	if !utf8.ValidString(v.Value) || strings.ContainsFunc(v.Value, odd) {
		return "", Problem{Text: fmt.Sprintf("the value of %s, %q, has characters that no variable can have under systemd: write it without", v.Name, v.Value), Usage: true}
	}
	plain := func(r rune) bool {
		return r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("_./:,%+@=-", r))
	}
	if !strings.ContainsFunc(v.Value, func(r rune) bool { return !plain(r) }) {
		return v.Value, nil
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "`", "\\`", `$`, `\$`).Replace(v.Value) + `"`, nil
}
