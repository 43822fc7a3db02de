package main

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
)

// The hand-written parts of the manual pages, in mdoc(7). @OPTIONS@ and @KEYS@ stand where the table of options goes.
//
//go:embed rouse.1.in
var commandPage string

//go:embed rouse-run.1.in
var runPage string

//go:embed rouse-dispatch.1.in
var dispatchPage string

//go:embed rouse-inetd.1.in
var inetdPage string

//go:embed rouse-install.1.in
var installPage string

//go:embed rouse.toml.5.in
var filePage string

// commandManual is rouse(1).
func commandManual() string {
	return strings.Replace(commandPage, "@OPTIONS@\n", optionsManual(documentedOptions()), 1)
}

// subcommandManual is the page of a command that has options of its own, such as rouse-run(1).
func subcommandManual(page string, s *subcommand) string {
	return strings.Replace(page, "@OPTIONS@\n", optionsManual(s.documented()), 1)
}

// installManual is rouse-install(1), which has the commands about sites too.
func installManual() string {
	page := installPage
	for _, s := range subcommands() {
		page = strings.Replace(page, "@"+strings.ToUpper(s.name)+"@\n", optionsManual(s.documented()), 1)
	}
	return page
}

// optionsManual lists options under their headings.
func optionsManual(all []documented) string {
	var b strings.Builder
	for i, d := range all {
		switch {
		case i > 0 && d.section == all[i-1].section:
		case d.section == "":
			b.WriteString(".Bl -tag -width Ds\n")
		case i > 0:
			b.WriteString(".El\n.Ss " + d.section + "\n.Bl -tag -width Ds\n")
		default:
			b.WriteString(".Ss " + d.section + "\n.Bl -tag -width Ds\n")
		}
		b.WriteString(".It " + d.macro() + "\n" + sentence(d.help, d.words))
		if d.shown != "" && (d.variable != "" || d.shown != "false") {
			b.WriteString("Default:\n.Ql " + roff(d.shown) + " .\n")
		}
		if d.variable != "" {
			b.WriteString("Variable:\n.Ev " + d.variable + " .\n")
		}
	}
	return b.String() + ".El\n"
}

// fileManual is rouse.toml(5).
func fileManual() string {
	var b strings.Builder
	b.WriteString(".Bl -tag -width Ds\n")
	for _, d := range documentedOptions() {
		b.WriteString(".It Ic " + d.flag + " = " + roff(d.example()) + "\n" + sentence(d.help, d.words))
	}
	return strings.Replace(filePage, "@KEYS@\n", b.String()+".El\n", 1)
}

// macro is the option's head in mdoc(7).
func (d documented) macro() string {
	text := "Fl -" + d.flag
	if d.arg != "" {
		text += " Ar " + roff(d.arg)
	}
	if d.short != "" {
		return "Fl " + d.short + " , " + text
	}
	return text
}

// example is the default as a value of TOML.
func (d documented) example() string {
	switch {
	case d.boolean && d.shown == "":
		return "true"
	case d.boolean && (d.shown == "true" || d.shown == "false"):
		return d.shown
	case strings.HasSuffix(d.arg, ",…"):
		return `["` + strings.ReplaceAll(d.shown, ",", `", "`) + `"]`
	case d.arg == "N" || d.arg == "PORT" || d.arg == "STATUS" || d.arg == "SECONDS":
		if d.shown == "" {
			return "0"
		}
		return d.shown
	}
	return fmt.Sprintf("%q", d.shown)
}

// sentence begins with a capital, unless with one of the option's words or another name.
func sentence(help string, words []string) string {
	first, _, _ := strings.Cut(help, " ")
	if !slices.Contains(words, strings.TrimRight(first, ",:")) && !strings.Contains(first, "_") {
		help = strings.ToUpper(help[:1]) + help[1:]
	}
	return filled(roff(help) + ".")
}

// filled breaks a text into lines, none of which begins with what roff takes for a request.
func filled(text string) string {
	lines := strings.Split(fill(text, "", 78), "\n") // 80 with what is put in front
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}

// roff escapes what roff would take for its own (groff_char(7)).
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "…", `\(u2026`, `"`, `\(dq`).Replace(text)
	text = strings.ReplaceAll(text, `\(u2026`, `...`)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		return `\&` + text
	}
	return text
}
