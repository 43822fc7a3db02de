package main

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/rouse-server/rouse/server"
)

// documented is an option of `rouse serve` as help, manual, completions and the environment file show it.
type documented struct {
	section                     string // the heading that it stands under
	flag, short, variable, help string
	arg                         string   // what stands for the value; empty for booleans
	shown                       string   // the default as one would write it
	boolean                     bool     // may stand without a value
	words                       []string // all that may stand there, where that is a list
}

// documentedOptions lists all options that are not other spellings of one, in the order of the server's Config.
func documentedOptions() []documented {
	s := &settings{Config: server.Default()}
	byFlag := map[string]option{}
	for _, o := range s.options() {
		byFlag[o.flag] = o
	}
	var all []documented
	section := ""
	config := reflect.TypeFor[server.Config]()
	for i := range config.NumField() {
		tag := config.Field(i).Tag
		o, ok := byFlag[tag.Get("flag")]
		if !ok || o.flag == "" {
			continue
		}
		if begins := tag.Get("section"); begins != "" {
			section = begins
		}
		all = append(all, document(o, section))
	}
	return all
}

func document(o option, section string) documented {
	d := documented{section: section, flag: o.flag, short: o.short, variable: o.variable, help: o.help, arg: o.arg, shown: fmt.Sprint(o.field.Interface())}
	if value, ok := o.field.Interface().(interface{ Words() []string }); ok {
		d.words = value.Words()
	}
	if _, ok := o.field.Addr().Interface().(interface{ IsBoolFlag() bool }); ok {
		d.boolean = true
	}
	if o.field.Kind() == reflect.Bool {
		d.boolean, d.words = true, []string{"true", "false"}
	}
	return d
}

// spelled is how the option is written on a command line: -d, --root DIR.
func (d documented) spelled() string {
	text := "--" + d.flag
	if d.short != "" {
		text = "-" + d.short + ", " + text
	}
	if d.arg != "" {
		text += " " + d.arg
	}
	return text
}

// fill breaks words into lines of at most width, each with prefix in front.
func fill(text, prefix string, width int) string {
	var b strings.Builder
	line := prefix
	for _, word := range strings.Fields(text) {
		if len(line)+1+len(word) > width && line != prefix {
			b.WriteString(line + "\n")
			line = prefix
		}
		if line != prefix {
			line += " "
		}
		line += word
	}
	return b.String() + line + "\n"
}
