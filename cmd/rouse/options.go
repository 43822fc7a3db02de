package main

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/kelseyhightower/envconfig"
	"github.com/spf13/pflag"

	"github.com/rouse-server/rouse/server"
)

// settings is what defaults, variables and flags say, the later over the earlier: the server's Config, and
// static-web-server 2's own spellings of some of it.
type settings struct {
	server.Config

	Http2TLS     bool   `split_words:"true" variable:"HTTP2_TLS" means:"tls"`
	Http2TLSCert string `split_words:"true" flag:"http2-tls-cert" arg:"FILE" means:"tls-cert"`
	Http2TLSKey  string `split_words:"true" flag:"http2-tls-key" arg:"FILE" means:"tls-key"`

	given map[string]string // options that were given, and as what: "port" as "--port" or "SERVER_PORT"
}

// option is one field of settings.
type option struct {
	flag, short, variable, arg, help string
	means                            string // the option that this is another spelling of
	field                            reflect.Value
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
	var all []option
	var walk func(reflect.Value)
	walk = func(v reflect.Value) {
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if f.Anonymous {
				walk(v.Field(i))
				continue
			}
			if !f.IsExported() {
				continue
			}
			o := option{f.Tag.Get("flag"), f.Tag.Get("short"), f.Tag.Get("variable"), f.Tag.Get("arg"), f.Tag.Get("help"), f.Tag.Get("means"), v.Field(i)}
			if o.variable == "" {
				o.variable = strings.ReplaceAll(strings.ToUpper(o.flag), "-", "_")
			}
			o.variable = "SERVER_" + o.variable
			all = append(all, o)
		}
	}
	walk(reflect.ValueOf(s).Elem())
	return all
}

// load reads variables and arguments. notices are for variables that nothing reads.
func load(c console) (s *settings, rest, notices []string, err error) {
	s = &settings{Config: server.Default(), given: map[string]string{}}
	if notices, err = s.readVariables(c.env); err != nil {
		return nil, nil, nil, err
	}
	if rest, err = s.readFlags(c.args); err != nil {
		return nil, nil, nil, err
	}
	return s, rest, notices, s.mergeSpellings()
}

// readVariables lets envconfig fill the fields. A variable that is set to nothing counts as not set: lines of environment
// files are often left blank.
func (s *settings) readVariables(env []string) (notices []string, err error) {
	var known []string
	for _, o := range s.options() {
		known = append(known, o.variable)
		value, set := os.LookupEnv(o.variable)
		switch {
		case set && value == "":
			os.Unsetenv(o.variable)
		case set:
			s.given[o.name()] = o.variable
		}
	}
	if err := envconfig.Process("server", s); err != nil {
		if wrong, ok := errors.AsType[*envconfig.ParseError](err); ok {
			return nil, config("%s=%s: %s", wrong.KeyName, wrong.Value, accepted(wrong.TypeName, wrong.Err))
		}
		return nil, config("%w", err)
	}
	return unknownVariables(env, known), nil
}

// accepted says what may stand there. Types of ours say it themselves.
func accepted(typeName string, err error) string {
	switch typeName {
	case "bool":
		return "not true or false"
	}
	return err.Error()
}

// unknownVariables names variables that look like options and are none. Those of activation protocols and of CGI
// (RFC 3875 §4.1), which other programs may have set, are let be.
func unknownVariables(env, known []string) (notices []string) {
	others := []string{"SERVER_STARTER_PORT", "SERVER_STARTER_GENERATION", "SERVER_NAME", "SERVER_SOFTWARE", "SERVER_PROTOCOL", "SERVER_ADDR", "SERVER_ADMIN", "SERVER_SIGNATURE"}
	for _, entry := range env {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "SERVER_") && !slices.Contains(known, name) && !slices.Contains(others, name) {
			notices = append(notices, fmt.Sprintf("%s is not a variable of Rouse and is ignored%s", name, suggestion(name, known)))
		}
	}
	return notices
}

// readFlags parses the arguments over what is there.
func (s *settings) readFlags(args []string) (rest []string, err error) {
	flags := pflag.NewFlagSet("rouse", pflag.ContinueOnError)
	flags.SortFlags = false
	flags.Usage = func() {}
	var names, booleans []string
	for _, o := range s.options() {
		if o.flag == "" {
			continue
		}
		names = append(names, "--"+o.flag)
		if o.field.Kind() == reflect.Bool {
			booleans = append(booleans, "--"+o.flag)
			if o.short != "" {
				booleans = append(booleans, "-"+o.short)
			}
		}
		o.add(flags)
	}
	if err := flags.Parse(joinBooleans(args, booleans)); err != nil {
		return nil, flagError(err, names)
	}
	flags.Visit(func(f *pflag.Flag) {
		s.given[f.Name] = "--" + f.Name
		if err == nil && f.Value.Type() == "string" && f.Value.String() == "" { // often a shell variable that is not set
			err = usage("--%s needs a value", f.Name)
		}
	})
	return flags.Args(), err
}

// add makes the field a flag; its present value is the flag's default.
func (o option) add(flags *pflag.FlagSet) {
	switch p := o.field.Addr().Interface().(type) {
	case *bool:
		flags.BoolVarP(p, o.flag, o.short, *p, o.help)
	case *string:
		flags.StringVarP(p, o.flag, o.short, *p, o.help)
	case *server.Addresses:
		flags.VarP(&repeated{to: p}, o.flag, o.short, o.help)
	case interface {
		Set(string) error
		String() string
	}:
		flags.VarP(typed{p}, o.flag, o.short, o.help)
	}
}

// typed gives a value of ours the method that pflag asks for beside those of the flag package.
type typed struct {
	value interface {
		Set(string) error
		String() string
	}
}

func (t typed) Set(text string) error { return t.value.Set(text) }
func (t typed) String() string        { return t.value.String() }
func (t typed) Type() string          { return "value" }

// repeated is a flag that may be given several times. The first one replaces what a variable said.
type repeated struct {
	to    *server.Addresses
	given bool
}

func (r *repeated) Set(text string) error {
	if !r.given {
		*r.to, r.given = nil, true
	}
	var more server.Addresses
	if err := more.Set(text); err != nil {
		return err
	}
	*r.to = append(*r.to, more...)
	return nil
}

func (r *repeated) String() string { return r.to.String() }
func (r *repeated) Type() string   { return "address" }

// joinBooleans folds `--tls false` into `--tls=false`, which static-web-server accepts and pflag does not.
func joinBooleans(args, booleans []string) []string {
	var folded []string
	for i := 0; i < len(args); i++ {
		if args[i] == "--" {
			return append(folded, args[i:]...)
		}
		if i+1 < len(args) && slices.Contains(booleans, args[i]) && (args[i+1] == "true" || args[i+1] == "false") {
			folded = append(folded, args[i]+"="+args[i+1])
			i++
			continue
		}
		folded = append(folded, args[i])
	}
	return folded
}

func flagError(err error, names []string) error {
	if wrong, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		f := wrong.GetFlag()
		if wrong.GetValue() == "" {
			return usage("--%s needs a value", f.Name)
		}
		return usage("--%s %s: %s", f.Name, wrong.GetValue(), accepted(f.Value.Type(), wrong.Unwrap()))
	}
	if missing, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return usage("--%s needs a value", missing.GetFlag().Name)
	}
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		name := unknown.GetSpecifiedName()
		if len(name) == 1 {
			return usage("there is no option -%s; rouse --help lists them", name)
		}
		return usage("there is no option --%s%s; rouse --help lists them", name, suggestion("--"+name, names))
	}
	return usage("%w", err)
}

// mergeSpellings carries what was given in another spelling over to the option that it means.
func (s *settings) mergeSpellings() error {
	all := s.options()
	for _, o := range all {
		as, given := s.given[o.name()]
		if o.means == "" || !given {
			continue
		}
		i := slices.IndexFunc(all, func(t option) bool { return t.flag == o.means })
		target := all[i]
		other, both := s.given[o.means]
		switch flag := strings.HasPrefix(as, "-"); {
		case !both || o.field.Equal(target.field) || flag && !strings.HasPrefix(other, "-"):
		case !flag && strings.HasPrefix(other, "-"):
			continue // flags win
		default:
			return s.conflict("%s and %s are two spellings of one option, and say different things: leave one out", as, other)
		}
		target.field.Set(o.field)
		s.given[o.means] = as
	}
	return nil
}

// conflict is an error about options given as a and b. Flags alone are a wrong command line.
func (s *settings) conflict(format, a, b string) error {
	if strings.HasPrefix(a, "-") && strings.HasPrefix(b, "-") {
		return usage(format, a, b)
	}
	return config(format, a, b)
}
