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

// optionsManual lists options under their headings.
func optionsManual(all []documented) string {
	var b strings.Builder
	section := ""
	for _, d := range all {
		if d.section != section {
			if section != "" {
				b.WriteString(".El\n")
			}
			section = d.section
			b.WriteString(".Ss " + section + "\n.Bl -tag -width Ds\n")
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
	return roff(help) + ".\n"
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
