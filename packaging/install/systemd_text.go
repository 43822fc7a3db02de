package install

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/coreos/go-systemd/v22/unit"

	"github.com/rouse-server/rouse/packaging"
)

// unitText is a shipped unit whose settings are changed one by one, while its comments stay beside them. To change a setting
// that it does not have is an error, which text returns.
type unitText struct {
	file  string
	parts []unitPart
	err   error
}

// unitPart is comment lines and the settings below them, up to the next comment; or a section's heading or an empty line,
// which is other.
type unitPart struct {
	other    string
	comment  []string
	settings []string // NAME=VALUE
	goes     bool     // once it has no settings any more: it explained some
}

// shippedUnit reads one of packaging/systemd, with words replaced everywhere: pairs of an old and a new one.
func shippedUnit(file string, oldNew ...string) *unitText {
	text, err := fs.ReadFile(packaging.Files(), "systemd/"+file)
	u := &unitText{file: file, err: err}
	for i := 1; i < len(oldNew); i += 2 {
		u.refuse(file, oddIn(oldNew[i]), oldNew[i])
	}
	part := &unitPart{other: file}
	for line := range strings.Lines(strings.NewReplacer(oldNew...).Replace(string(text))) {
		line = strings.TrimSuffix(line, "\n")
		heading := line == "" || line[0] == '['
		if heading || part.other != "" || line[0] == '#' && part.goes {
			u.parts = append(u.parts, unitPart{})
			part = &u.parts[len(u.parts)-1]
		}
		switch {
		case heading:
			part.other = line + "\n"
		case line[0] == '#':
			part.comment = append(part.comment, line)
		default:
			part.settings, part.goes = append(part.settings, line), true
		}
	}
	return u
}

// find returns the part where a setting stands first, and its place there.
func (u *unitText) find(name string) (part *unitPart, setting int) {
	for i := range u.parts {
		part = &u.parts[i]
		if setting = slices.IndexFunc(part.settings, sets(name)); setting >= 0 {
			return part, setting
		}
	}
	if u.err == nil {
		u.err = fmt.Errorf("%s, as shipped, has no %s=", u.file, name)
	}
	return &unitPart{}, 0
}

func sets(name string) func(string) bool {
	return func(line string) bool { return strings.HasPrefix(line, name+"=") }
}

// refuse keeps a value that is wrong for some reason out of the unit; no reason: it is good.
func (u *unitText) refuse(setting, why, value string) {
	if why != "" && u.err == nil {
		u.err = odd(setting+"=", value, why)
	}
}

// assigned are the lines of a setting. Here, all that comes from a site enters a unit.
func (u *unitText) assigned(name string, values []string) []string {
	lines := make([]string, len(values))
	for i, value := range values {
		pieces := []string{value}
		if name == "ExecStart" { // a commandLine
			pieces = strings.Split(value, nextLine)
		}
		for _, piece := range pieces {
			u.refuse(name, oddInUnit(piece), value)
		}
		lines[i] = name + "=" + value
	}
	return lines
}

// set gives a setting new values, a line each, in the place of the first old one.
func (u *unitText) set(name string, values ...string) {
	part, place := u.find(name)
	u.drop(name)
	part.settings = slices.Insert(part.settings, place, u.assigned(name, values)...)
}

// drop takes settings away, and with the last one of a part its comment. It does not mind those that are not there.
func (u *unitText) drop(names ...string) {
	for i := range u.parts {
		for _, name := range names {
			u.parts[i].settings = slices.DeleteFunc(u.parts[i].settings, sets(name))
		}
	}
}

// explain replaces the comment above a setting.
func (u *unitText) explain(name string, lines ...string) {
	part, _ := u.find(name)
	part.comment = lines
}

// after puts a new setting with its comment below the part that has another one.
func (u *unitText) after(other, comment, name string, values ...string) {
	u.find(other)
	at := slices.IndexFunc(u.parts, func(p unitPart) bool { return slices.ContainsFunc(p.settings, sets(other)) })
	u.parts = slices.Insert(u.parts, at+1, unitPart{comment: []string{comment}, settings: u.assigned(name, values), goes: true})
}

// text returns the unit with other comments at its top. go-systemd has read it, and sees no mistake.
func (u *unitText) text(top ...string) ([]byte, error) {
	if u.err != nil {
		return nil, u.err
	}
	lines := append(slices.Clone(top), "")
	body := slices.IndexFunc(u.parts, func(p unitPart) bool { return strings.HasPrefix(p.other, "[") })
	for _, p := range u.parts[max(body, 0):] {
		switch {
		case p.other == "\n" && lines[len(lines)-1] == "": // what stood here has gone
		case p.other != "":
			lines = append(lines, strings.TrimSuffix(p.other, "\n"))
		case len(p.settings) > 0 || !p.goes:
			lines = slices.Concat(lines, p.comment, p.settings)
		}
	}
	return checkedUnit(strings.TrimRight(strings.Join(lines, "\n"), "\n") + "\n")
}

// checkedUnit returns the text of a unit that go-systemd can read.
func checkedUnit(text string) ([]byte, error) {
	if _, err := unit.DeserializeOptions(strings.NewReader(text)); err != nil {
		return nil, fmt.Errorf("the unit would not be readable: %w", err)
	}
	return []byte(text), nil
}
