package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/rouse-server/rouse/activation/route/spelling"
)

// subcommand is the options of a command that has its own: each is a flag, a variable and a key of its file of options.
// They are the fields of a struct, with the tags that settings has.
type subcommand struct {
	name     string   // run
	program  bool     // a program to start stands behind the options
	words    []string // what may stand first, beside options
	options  []option
	sections map[string]string // by flag, the heading that it stands under
	given    map[string]string // options that were given, and as what
	command  []string          // the program that the file names
	notices  []string
}

// subcommands lists the commands that have options of their own.
func subcommands() []*subcommand {
	_, run := runOptions()
	_, dispatch := dispatchOptions()
	_, inetd := inetdOptions()
	_, install := installOptions()
	_, uninstall := uninstallOptions()
	_, status := statusOptions()
	_, renew := renewOptions()
	_, health := healthOptions()
	return []*subcommand{run, dispatch, inetd, install, uninstall, status, renew, health}
}

func newSubcommand(name string, fields any, program bool) *subcommand {
	s := &subcommand{name: name, program: program, sections: map[string]string{}, given: map[string]string{}}
	v, section := reflect.ValueOf(fields).Elem(), ""
	for i := range v.NumField() {
		tag := v.Type().Field(i).Tag
		o := newOption(tag, v.Field(i))
		if begins := tag.Get("section"); begins != "" {
			section = begins
		}
		if o.variable != "" {
			o.variable = s.prefix() + strings.TrimPrefix(o.variable, "SERVER_")
		}
		s.sections[o.flag] = section
		s.options = append(s.options, o)
	}
	return s
}

// prefix begins the names of the variables.
func (s *subcommand) prefix() string { return "ROUSE_" + strings.ToUpper(s.name) + "_" }

// read takes the file, the variables and the flags, the later over the earlier. What begins with the first word that is no
// option is the rest.
func (s *subcommand) read(args []string) (rest []string, err error) {
	words, rest, err := s.parse(args)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(s.readFile(words), s.readVariables(), s.readFlags(words)); err != nil {
		return nil, firstOf(err)
	}
	return rest, nil
}

// firstOf is the first of joined errors: each is a line of its own, and one is enough to go on with.
func firstOf(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()[0]
	}
	return err
}

// parse takes the arguments apart.
func (s *subcommand) parse(args []string) (words []word, rest []string, err error) {
	flags := pflag.NewFlagSet(s.name, pflag.ContinueOnError)
	flags.Usage = func() {}
	flags.SetInterspersed(false)
	var names []string
	for _, o := range s.options {
		names = append(names, "--"+o.flag)
		f := flags.VarPF(&unread{}, o.flag, o.short, "")
		if o.optional() {
			f.NoOptDefVal = "true"
		}
	}
	err = flags.ParseAll(args, func(f *pflag.Flag, value string) error {
		words = append(words, word{f.Name, value})
		return nil
	})
	if errors.Is(err, pflag.ErrHelp) {
		return nil, nil, err
	}
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		name := "--" + unknown.GetSpecifiedName()
		if unknown.GetSpecifiedShortnames() != "" {
			name = name[1:]
		}
		return nil, nil, usage("there is no option %s%s: rouse %s --help lists them", name, spelling.Suggestion(name, names), s.name)
	}
	if err != nil {
		return nil, nil, flagError(err, names)
	}
	return words, flags.Args(), nil
}

func (s *subcommand) option(name string) (option, bool) {
	i := slices.IndexFunc(s.options, func(o option) bool { return o.flag == name })
	if i < 0 {
		return option{}, false
	}
	return s.options[i], true
}

// readFile reads the file of options that a flag or the variable names.
func (s *subcommand) readFile(words []word) error {
	if _, ok := s.option("config-file"); !ok {
		return nil
	}
	as, wrong := s.prefix()+"CONFIG_FILE", config
	path := os.Getenv(as)
	for _, w := range words {
		if w.name == "config-file" {
			path, as, wrong = w.value, "--config-file", usage
		}
	}
	switch {
	case path == "" && as == "--config-file":
		return usage("--config-file needs a value")
	case path == "":
		return nil
	case filepath.Ext(path) != ".toml":
		return wrong("%s %s: the name of a file of options ends in .toml", as, path)
	}
	f, err := openFile(as, path)
	if err != nil {
		return err
	}
	var problems []error
	for _, name := range f.sorted("", f.values) {
		problems = append(problems, s.readKey(f, name))
	}
	return errors.Join(problems...)
}

// readKey takes one key of the file.
func (s *subcommand) readKey(f *file, name string) error {
	at := fmt.Sprintf("%s:%d", f.path, f.marks[name].line)
	if name == "command" {
		list, _ := f.values[name].([]any)
		words, err := stringsOf(list)
		if err != nil || len(words) == 0 {
			return config(`%s: command is not an array of strings: write ["PROGRAM", "ARGUMENT"]`, at)
		}
		s.command = words
		return nil
	}
	o, ok := s.option(name)
	if !ok || o.key == "" {
		names := []string{"command"}
		for _, o := range s.options {
			names = append(names, o.key)
		}
		return config("%s: %s is not a key of rouse %s%s: take it out", at, name, s.name, spelling.Suggestion(name, names))
	}
	literal := f.marks[name].literal
	if err := o.setTOML(f.values[name], literal); err != nil {
		return config("%s: %s = %s: %w", at, name, literal, err)
	}
	s.given[name] = at + ": " + name
	return nil
}

// readVariables puts the variables over what is there. One that is set to nothing counts as not set. None of them is left
// to a program that is started.
func (s *subcommand) readVariables() error {
	var problems []error
	var known []string
	for _, o := range s.options {
		if o.variable == "" {
			continue
		}
		known = append(known, o.variable)
		value := os.Getenv(o.variable)
		if value == "" || o.flag == "config-file" {
			continue
		}
		if err := o.set(value); err != nil {
			problems = append(problems, config("%s=%s: %w", o.variable, value, err))
			continue
		}
		s.given[o.flag] = o.variable
	}
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, s.prefix()) && !slices.Contains(known, name) {
			s.notices = append(s.notices, fmt.Sprintf("%s is not a variable of Rouse and is ignored%s", name, spelling.Suggestion(name, known)))
		}
	}
	return errors.Join(problems...)
}

// readFlags puts the flags over what is there. Of a list that stands several times all values hold.
func (s *subcommand) readFlags(words []word) error {
	values := map[string]string{}
	for _, w := range words {
		o, _ := s.option(w.name)
		before, again := values[w.name]
		if w.value == "" && (o.field.Kind() == reflect.String || o.field.Kind() == reflect.Slice) {
			return usage("--%s needs a value", w.name) // often a shell variable that is not set
		}
		if again && o.field.Kind() == reflect.Slice {
			w.value = before + "," + w.value
		}
		values[w.name] = w.value
	}
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if name == "config-file" {
			continue
		}
		o, _ := s.option(name)
		if err := o.set(values[name]); err != nil {
			problems = append(problems, usage("--%s %s: %w", name, values[name], err))
			continue
		}
		s.given[name] = "--" + name
	}
	return errors.Join(problems...)
}

// conflict is the error for options that say different things, given in whatever way.
func (s *subcommand) conflict(names []string, format string, a ...any) error {
	for _, name := range names {
		if as := s.given[name]; as != "" && !isFlag(as) {
			return config(format, a...)
		}
	}
	return usage(format, a...)
}

// documented lists the options as help, manual and completions show them.
func (s *subcommand) documented() []documented {
	var all []documented
	for _, o := range s.options {
		all = append(all, document(o, s.sections[o.flag]))
	}
	return all
}
