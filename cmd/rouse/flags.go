package main

import (
	"errors"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/rouse-server/rouse/activation/route/spelling"
	"github.com/rouse-server/rouse/server"
)

// word is a flag of the command line.
type word struct{ name, value string }

// parseFlags takes the arguments apart, and leaves the options as they are: the file that a flag may name comes first.
func (s *settings) parseFlags(args []string) (words []word, rest []string, err error) {
	flags := pflag.NewFlagSet("rouse", pflag.ContinueOnError)
	flags.Usage = func() {}
	var names []string
	optional := map[string]option{} // by -x and --long
	said := strings.Join(args, " ")
	for _, o := range s.options() {
		if o.flag == "" {
			continue
		}
		names = append(names, "--"+o.flag)
		if !strings.Contains(said, o.flag) && (o.short == "" || !strings.Contains(said, o.short)) {
			continue // it cannot be among them, and pflag takes its time for each that it is told of
		}
		f := flags.VarPF(&unread{}, o.flag, o.short, o.help)
		if o.optional() {
			f.NoOptDefVal = "true"
			optional["--"+o.flag], optional["-"+o.short] = o, o
		}
	}
	takes := func(flag, word string) bool {
		o, ok := optional[flag]
		return ok && o.accepts(word) == nil
	}
	err = flags.ParseAll(joinBooleans(args, takes), func(f *pflag.Flag, value string) error {
		words = append(words, word{f.Name, value})
		return nil
	})
	if err != nil {
		return nil, nil, flagError(err, names)
	}
	return words, flags.Args(), nil
}

// unread is a flag's value for pflag, which asks for one also where it only takes arguments apart.
type unread struct{}

func (*unread) Set(string) error { return nil }
func (*unread) String() string   { return "" }
func (*unread) Type() string     { return "value" }

// joinBooleans folds `--tls false` into `--tls=false`, which static-web-server accepts and pflag does not. takes tells of a
// flag that may stand alone whether it takes the word behind it.
func joinBooleans(args []string, takes func(flag, word string) bool) []string {
	var folded []string
	for i := 0; i < len(args); i++ {
		if args[i] == "--" {
			return append(folded, args[i:]...)
		}
		if i+1 < len(args) && takes(args[i], args[i+1]) {
			folded = append(folded, args[i]+"="+args[i+1])
			i++
			continue
		}
		folded = append(folded, args[i])
	}
	return folded
}

func flagError(err error, names []string) error {
	if missing, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return usage("--%s needs a value", missing.GetFlag().Name)
	}
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		name := unknown.GetSpecifiedName()
		if len(name) == 1 {
			return usage("there is no option -%s; rouse --help lists them", name)
		}
		return usage("there is no option --%s%s; rouse --help lists them", name, spelling.Suggestion("--"+name, names))
	}
	return usage("%w", err)
}

// readFlags puts the flags over what is there.
func (s *settings) readFlags(words []word) *layer {
	l := newLayer()
	for _, w := range words {
		o, as := s.option(w.name), "--"+w.name
		before := s.Listen
		err := o.accepts(w.value)
		switch {
		case w.value == "" && (err != nil || o.field.Kind() == reflect.String): // often a shell variable that is not set
			l.problems = append(l.problems, usage("%s needs a value", as))
			continue
		case err != nil:
			l.problems = append(l.problems, usage("%s %s: %w", as, w.value, err))
			continue
		}
		o.set(w.value)
		more := as + " " + w.value
		if o.optional() {
			more = as + "=" + w.value
		}
		if _, repeatable := o.field.Interface().(server.Addresses); repeatable && l.given[w.name] != "" { // the first one replaces what a variable said
			s.Listen = slices.Concat(before, s.Listen)
			more = strings.TrimSpace(s.said[as] + " " + more)
		}
		if o.secret() {
			more = as
		}
		l.given[w.name], s.said[as] = as, more
	}
	s.adopt(l)
	return l
}
