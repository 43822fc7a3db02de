package main

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/rouse-server/rouse/server"
)

// settings is what defaults, the file, variables and flags say, the later over the earlier: the server's Config, other
// spellings of some of it, and what only a start can be told.
//
// Three tags stand here beside those of Config: means names the option that a field is another spelling of, with a ! in
// front where the sense is inverted; key:"-" is on options that the file cannot hold; ignored is envconfig's, on those
// without a variable.
type settings struct {
	server.Config

	Http2TLS       bool   `split_words:"true" variable:"HTTP2_TLS" means:"tls"`
	Http2TLSCert   string `split_words:"true" flag:"http2-tls-cert" arg:"FILE" means:"tls-cert"`
	Http2TLSKey    string `split_words:"true" flag:"http2-tls-key" arg:"FILE" means:"tls-key"`
	IncludeHidden  bool   `split_words:"true" flag:"include-hidden" means:"!ignore-hidden-files"`
	FollowSymlinks bool   `split_words:"true" flag:"follow-symlinks" means:"!disable-symlinks"`

	ConfigFile  string `split_words:"true" flag:"config-file" short:"w" arg:"FILE" key:"-" help:"read options from this TOML file; without it from ./rouse.toml or ./sws.toml, if there is one"`
	CheckConfig bool   `ignored:"true" flag:"check-config" key:"-" help:"as rouse check: read everything, open nothing, show what applies and where it comes from"`

	given    map[string]string // options that were given, and as what: "port" as "--port", "SERVER_PORT" or "sws.toml:3: port"
	said     map[string]string // what a value of given was given with, as people say it: "--port 81", "port = 80 in sws.toml:3"
	file     *file             // nil where there is none
	refused  map[string]bool   // what stands in [advanced] and was told of: "advanced.redirects[1].kind"
	fromFile map[string]origin // what the options were after the file had been read, as far as it gave them
	table    []option          // made when it is first asked for: reading tags takes time at every start
}

// clone is a copy whose options can be changed apart from these; what slices and maps of options hold is shared.
func (s *settings) clone() *settings {
	copied := *s
	copied.given, copied.table = maps.Clone(s.given), nil
	return &copied
}

// origin is a value, and as what it was given.
type origin struct{ as, value string }

func newSettings() *settings {
	return &settings{Config: server.Default(), given: map[string]string{}, said: map[string]string{}, refused: map[string]bool{}, fromFile: map[string]origin{}}
}

// option is one field of settings.
type option struct {
	flag, short, variable, key, arg, help string // of flag, variable and key, those are empty that the option does not have
	means                                 string // the option that this is another spelling of, behind a ! in the opposite sense
	field                                 reflect.Value
}

// name is what settings.given calls the option.
func (o option) name() string {
	if o.flag == "" {
		return strings.ToLower(o.variable)
	}
	return o.flag
}

// options lists the fields of settings with their tags.
func (s *settings) options() []option {
	if s.table != nil {
		return s.table
	}
	var walk func(reflect.Value)
	walk = func(v reflect.Value) {
		for i := range v.NumField() {
			f := v.Type().Field(i)
			switch {
			case f.Anonymous:
				walk(v.Field(i))
			case f.IsExported() && f.Type != reflect.TypeFor[server.Advanced]():
				s.table = append(s.table, newOption(f.Tag, v.Field(i)))
			}
		}
	}
	walk(reflect.ValueOf(s).Elem())
	return s.table
}

func newOption(tag reflect.StructTag, field reflect.Value) option {
	o := option{field: field}
	ignored, keyless := false, false
	for name, value := range tags(tag) {
		switch name {
		case "flag":
			o.flag = value
		case "short":
			o.short = value
		case "variable":
			o.variable = value
		case "arg":
			o.arg = value
		case "help":
			o.help = value
		case "means":
			o.means = value
		case "ignored":
			ignored = value == "true"
		case "key":
			keyless = value == "-"
		}
	}
	if o.variable == "" {
		o.variable = strings.ReplaceAll(strings.ToUpper(o.flag), "-", "_")
	}
	o.variable = "SERVER_" + o.variable
	if ignored {
		o.variable = ""
	}
	if !keyless {
		o.key = o.flag
	}
	return o
}

// tags goes through a field's tag once. [reflect.StructTag.Get] begins anew for each key, and reads long help each time: with
// all options that is half a millisecond of every start.
func tags(tag reflect.StructTag) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for rest := string(tag); ; {
			name, after, found := strings.Cut(rest, ":")
			quoted, err := strconv.QuotedPrefix(after)
			if !found || err != nil {
				return
			}
			value, err := strconv.Unquote(quoted)
			if err != nil || !yield(name, value) {
				return
			}
			rest = strings.TrimLeft(after[len(quoted):], " ")
		}
	}
}

// option returns the option of that name, which must be one.
func (s *settings) option(name string) option {
	all := s.options()
	return all[slices.IndexFunc(all, func(o option) bool { return o.name() == name })]
}

// value is what the types of package server can do.
type value interface {
	Set(string) error
	String() string
}

// set reads what a user wrote. The error says what is accepted.
func (o option) set(text string) error {
	switch p := o.field.Addr().Interface().(type) {
	case *bool:
		if text != "true" && text != "false" {
			return errors.New("not true or false")
		}
		*p = text == "true"
	case *string:
		*p = text
	case value:
		return p.Set(text)
	default:
		return fmt.Errorf("there are no options of the type %s", o.field.Type())
	}
	return nil
}

// accepts tells whether a user may write this, without a change to the option.
func (o option) accepts(text string) error {
	o.field = reflect.New(o.field.Type()).Elem()
	return o.set(text)
}

// written is the option's value as one would write it.
func (o option) written() string {
	if v, ok := o.field.Addr().Interface().(value); ok {
		return v.String()
	}
	return fmt.Sprint(o.field.Interface())
}

// optional tells whether a flag may stand without its value, which is then true.
func (o option) optional() bool {
	b, ok := o.field.Addr().Interface().(interface{ IsBoolFlag() bool })
	return o.field.Kind() == reflect.Bool || ok && b.IsBoolFlag()
}

// secret tells whether the value must not stand in messages.
func (o option) secret() bool { return o.name() == "basic-auth" }

// layer is what one source of options says: the file, the variables or the flags.
type layer struct {
	given    map[string]string // as settings.given
	notices  []string
	problems []error
}

func newLayer() *layer { return &layer{given: map[string]string{}} }

// load reads the file, variables and arguments. rest is what no option takes; notices are for what is not used. It may be
// called again with the same console to see what has changed.
func load(c console) (s *settings, rest, notices []string, err error) {
	s, rest, notices, problems := read(c)
	if err := first(problems); err != nil {
		return nil, nil, nil, err
	}
	return s, rest, notices, nil
}

// read reads as load does, and tells of everything that is wrong; wrong values leave their option as it was. Without
// settings the arguments could not be taken apart.
func read(c console) (s *settings, rest, notices []string, problems []error) {
	s = newSettings()
	words, rest, err := s.parseFlags(c.args)
	if err != nil {
		return nil, nil, nil, []error{err}
	}
	file := s.readFile(words)
	variables := s.readVariables(c.env)
	flags := s.readFlags(words)
	return s, rest, slices.Concat(file.notices, variables.notices), slices.Concat(flags.problems, variables.problems, file.problems)
}

// first is the first of several problems, and tells of the others.
func first(problems []error) error {
	switch len(problems) {
	case 0:
		return nil
	case 1:
		return problems[0]
	}
	code := exitConfig
	if f, ok := errors.AsType[failure](problems[0]); ok {
		code = f.code
	}
	return failure{code, fmt.Errorf("%w (and %d more: rouse check with the same options lists them)", problems[0], len(problems)-1)}
}

// overridden tells of each value of the file in whose place a flag or variable put another one: in static-web-server the
// file wins.
func (s *settings) overridden() []string {
	var lines []string
	for _, o := range s.options() {
		as, before := s.given[o.name()], s.fromFile[o.name()]
		if before.as == "" || as == "" || as == before.as || before.value == o.written() {
			continue
		}
		said, ok := s.said[as]
		if !ok {
			said = "the folder " + as // rouse DIR
		}
		lines = append(lines, said+" is used instead of "+s.said[before.as])
	}
	return lines
}

// takeFolder takes the folder that may stand behind the options.
func (s *settings) takeFolder(rest []string) error {
	switch {
	case len(rest) == 0:
		return nil
	case len(rest) > 1:
		return usage("one folder can be served, not %d: %s", len(rest), strings.Join(rest, " "))
	case isFlag(s.given["root"]):
		return usage("the folder is given twice: as --root %s and as %s", s.Root, rest[0])
	case rest[0] == "":
		return usage("the folder to serve has an empty name: name it, or leave it out")
	}
	s.Root, s.given["root"] = rest[0], rest[0]
	return nil
}
