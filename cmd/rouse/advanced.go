package main

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/rouse-server/rouse/server"
)

// decoder takes what stands in [advanced]. It tells of everything that is wrong, with its place; toml's own would stop at
// the first value of a wrong type, and then say nothing of keys it does not know.
type decoder struct {
	settings *settings
	layer    *layer
}

// decode puts a value of the document into a field. Keys that mean nothing are taken out of the document.
func (d decoder) decode(v any, into reflect.Value, path string) {
	switch into.Kind() {
	case reflect.Pointer:
		fresh := reflect.New(into.Type().Elem())
		d.decode(v, fresh.Elem(), path)
		into.Set(fresh)
	case reflect.Struct:
		d.table(v, into, path)
	case reflect.Slice:
		d.list(v, into, path)
	case reflect.Map:
		d.strings(v, into, path)
	case reflect.String:
		take[string](d, v, into, path, "a string: put it in quotation marks")
	case reflect.Bool:
		take[bool](d, v, into, path, "true or false without quotation marks")
	case reflect.Int:
		if n, ok := v.(int64); ok {
			into.SetInt(n)
			return
		}
		d.refuse(path, "a whole number without quotation marks")
	}
}

func take[T any](d decoder, v any, into reflect.Value, path, accepted string) {
	value, ok := v.(T)
	if !ok {
		d.refuse(path, accepted)
		return
	}
	into.Set(reflect.ValueOf(value))
}

func (d decoder) refuse(path, accepted string) {
	d.settings.refused[path] = true
	name := path
	if literal := d.settings.file.marks[path].literal; literal != "" {
		name += " = " + literal
	}
	d.layer.problems = append(d.layer.problems, config("%s: %s: not %s", d.settings.position(path), name, accepted))
}

func (d decoder) table(v any, into reflect.Value, path string) {
	table, ok := v.(map[string]any)
	if !ok {
		d.refuse(path, "a table")
		return
	}
	fields, names := map[string]reflect.Value{}, []string{}
	for i := range into.NumField() {
		name := into.Type().Field(i).Tag.Get("toml")
		fields[name], names = into.Field(i), append(names, name)
	}
	for _, name := range d.settings.file.sorted(path, table) {
		at := joinKey(path, name)
		if field, ok := fields[name]; ok {
			d.decode(table[name], field, at)
			continue
		}
		d.layer.notices = append(d.layer.notices, d.settings.unknownKey(at, name, names))
		delete(table, name)
	}
}

func (d decoder) list(v any, into reflect.Value, path string) {
	ofTables := into.Type().Elem().Kind() == reflect.Struct
	if text, ok := v.(string); ok && !ofTables {
		var words server.List
		words.Set(text)
		into.Set(reflect.ValueOf([]string(words)))
		return
	}
	values, ok := v.([]any)
	if !ok && ofTables {
		d.refuse(path, "an array of tables: write [["+withoutIndexes(path)+"]]")
		return
	} else if !ok {
		d.refuse(path, "an array of strings, nor one string with commas")
		return
	}
	into.Set(reflect.MakeSlice(into.Type(), len(values), len(values)))
	for i, one := range values {
		d.decode(one, into.Index(i), fmt.Sprintf("%s[%d]", path, i))
	}
}

// strings takes a table whose values are strings.
func (d decoder) strings(v any, into reflect.Value, path string) {
	table, ok := v.(map[string]any)
	if !ok {
		d.refuse(path, "a table")
		return
	}
	all := map[string]string{}
	for _, name := range d.settings.file.sorted(path, table) {
		text, ok := table[name].(string)
		if !ok {
			d.refuse(joinKey(path, name), "a string: put it in quotation marks")
		}
		all[name] = text
	}
	into.Set(reflect.ValueOf(all))
}

// withoutIndexes is the name of a table in its head: advanced.virtual-hosts[1].headers is advanced.virtual-hosts.headers.
func withoutIndexes(path string) string {
	for {
		before, rest, ok := strings.Cut(path, "[")
		_, after, closed := strings.Cut(rest, "]")
		if !ok || !closed {
			return path
		}
		path = before + after
	}
}
