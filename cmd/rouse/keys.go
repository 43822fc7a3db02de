package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/rouse-server/rouse/activation/route/spelling"
	"github.com/rouse-server/rouse/server"
)

// readTables takes the values of the file's tables. Keys that mean nothing are told of, and nothing else: a file may have
// been written for another version.
func (s *settings) readTables(l *layer) {
	for _, name := range s.file.sorted("", s.file.values) {
		table, isTable := s.file.values[name].(map[string]any)
		switch {
		case !isTable && (name == "general" || name == "advanced"):
			l.problems = append(l.problems, s.wrong(name, errors.New("not a table: write ["+name+"] on a line of its own, and its keys below")))
		case name == "general":
			s.readGeneral(table, l)
		case name == "advanced":
			d := decoder{settings: s, layer: l}
			d.decode(table, reflect.ValueOf(&s.Advanced).Elem(), "advanced")
		case !isTable && slices.ContainsFunc(s.options(), func(o option) bool { return o.key == name }):
			l.notices = append(l.notices, fmt.Sprintf("%s: %s stands in no table and is ignored: write [general] above it", s.position(name), name))
		default:
			l.notices = append(l.notices, s.unknownKey(name, name, []string{"general", "advanced"}))
		}
	}
}

// sorted lists the keys of a table in the order of their lines.
func (f *file) sorted(path string, table map[string]any) []string {
	return slices.SortedFunc(maps.Keys(table), func(a, b string) int {
		return cmp.Or(cmp.Compare(f.marks[joinKey(path, a)].line, f.marks[joinKey(path, b)].line), cmp.Compare(a, b))
	})
}

func (s *settings) unknownKey(path, name string, known []string) string {
	return fmt.Sprintf("%s: %s is not a key of Rouse and is ignored%s", s.position(path), strings.TrimPrefix(path, "general."), spelling.Suggestion(name, known))
}

// readGeneral takes the values of [general]. A value that was left blank counts as not given, as a blank variable does.
func (s *settings) readGeneral(table map[string]any, l *layer) {
	byKey := map[string]option{}
	for _, o := range s.options() {
		if o.key != "" {
			byKey[o.key] = o
		}
	}
	for _, name := range s.file.sorted("general", table) {
		path := joinKey("general", name)
		o, known := byKey[name]
		if !known {
			if name != "memory-cache" { // static-web-server 2 has it, without effect
				l.notices = append(l.notices, s.unknownKey(path, name, slices.Collect(maps.Keys(byKey))))
			}
			continue
		}
		if table[name] == "" {
			continue
		}
		at, literal := s.position(path), s.file.marks[path].literal
		if literal == "" {
			literal = "{…}" // a table of its own
		}
		if err := o.setTOML(table[name], literal); err != nil {
			l.problems = append(l.problems, config("%s: %s = %s: %w", at, name, literal, err))
			continue
		}
		if mode, ok := o.field.Interface().(server.Mode); ok && decimal(table[name], literal) {
			l.notices = append(l.notices, fmt.Sprintf("%s: %s = %s is a decimal number, in octal %s: write \"%[4]s\", or \"%[3]s\" if that is meant", at, name, literal, mode))
		}
		as := at + ": " + name
		l.given[name], s.said[as] = as, fmt.Sprintf("%s = %s in %s", name, literal, at)
		if o.secret() {
			s.said[as] = name + " in " + at
		}
	}
}

// setTOML reads a value of the file: of TOML's own type for it, or what one would write as a flag, in quotation marks.
func (o option) setTOML(v any, literal string) error {
	switch v := v.(type) {
	case string:
		if _, plain := o.field.Interface().(bool); plain {
			return errors.New("not true or false without quotation marks")
		}
		return o.set(v)
	case bool:
		if o.optional() {
			return o.set(strconv.FormatBool(v))
		}
	case int64:
		return o.setNumber(v, literal)
	case []any:
		return o.setList(v)
	case map[string]any:
		return o.setTable(v)
	}
	return o.refuse(literal)
}

// refuse says what is accepted in the place of a value that is of another type.
func (o option) refuse(literal string) error {
	if err := o.accepts(literal); err != nil {
		return err
	}
	if o.field.Kind() == reflect.Slice {
		return errors.New("not an array of strings, nor one string with commas")
	}
	return fmt.Errorf("not a string: write %q", literal)
}

// setNumber takes a whole number. One for a file's mode may be written in octal; what is outside of 0777 as 660 is (that is
// 0o1224) was meant to be.
func (o option) setNumber(n int64, literal string) error {
	switch p := o.field.Addr().Interface().(type) {
	case *server.Mode:
		if digits := strings.TrimLeft(literal, "0"); o.accepts(digits) == nil && n > 0o777 {
			return fmt.Errorf("a decimal number, in octal %04o: write \"%s\" or 0o%[2]s", n, digits)
		} else if n < 0 || n > 0o777 {
			return o.refuse(literal)
		}
		*p = server.Mode(n)
		return nil
	case *server.Port, *server.Number, *server.Seconds, *server.Order, *server.Status, *server.Duration, *server.Size:
		return o.set(strconv.FormatInt(n, 10))
	}
	return o.refuse(literal)
}

// decimal tells whether a number was written without 0o.
func decimal(v any, literal string) bool {
	n, ok := v.(int64)
	return ok && n > 7 && !strings.HasPrefix(literal, "0o")
}

// setList takes an array of strings.
func (o option) setList(values []any) error {
	words, err := stringsOf(values)
	switch {
	case o.field.Kind() != reflect.Slice && o.field.Kind() != reflect.Map:
		return cmp.Or(o.accepts("["), errors.New("not one string"))
	case err != nil:
		return err
	}
	if list, ok := o.field.Addr().Interface().(*server.List); ok {
		*list = words // which may hold commas
		return nil
	}
	return o.set(strings.Join(words, ","))
}

func stringsOf(values []any) ([]string, error) {
	words := make([]string, 0, len(values))
	for _, v := range values {
		word, ok := v.(string)
		if !ok {
			return nil, errors.New("not an array of strings")
		}
		words = append(words, word)
	}
	return words, nil
}

// setTable takes a table of strings, which the media types are by their nature.
func (o option) setTable(table map[string]any) error {
	if o.field.Kind() != reflect.Map {
		return cmp.Or(o.accepts("{"), errors.New("not one string"))
	}
	var words []string
	for _, key := range slices.Sorted(maps.Keys(table)) {
		value, ok := table[key].(string)
		if !ok {
			return fmt.Errorf("%s is not a string", key)
		}
		words = append(words, key+"="+value)
	}
	return o.set(strings.Join(words, ","))
}
