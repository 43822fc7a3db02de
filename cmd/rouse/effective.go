package main

import (
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/rouse-server/rouse/server"
)

// writeEffective writes all options as a file that gives the same ones again. Defaults stand there as comments: given, some
// would say more than a default, such as a port where none was asked for.
func (s *settings) writeEffective(to io.Writer) error {
	var b strings.Builder
	b.WriteString("[general]\n")
	for _, o := range s.options() {
		if o.key == "" || o.means != "" {
			continue
		}
		line, as := tomlLine(o.key, o.toml()), s.given[o.name()]
		switch {
		case as == "" && o.empty():
			line, as = "# "+o.key+" =", "not set"
		case as == "":
			line, as = "# "+line, "default"
		case o.secret():
			line = "# " + o.key + " = (not shown)"
		case o.name() == "root" && as == s.Root:
			as = "argument" // rouse DIR
		}
		if place, key := inFile(as); place != "" && key == o.key {
			as = place
		}
		fmt.Fprintf(&b, "%-44s # %s\n", line, printable(as))
	}
	if s.file != nil {
		s.writeAdvanced(&b)
	}
	_, err := io.WriteString(to, b.String())
	return err
}

// empty tells whether the option holds nothing.
func (o option) empty() bool { return o.written() == "" }

// toml is the option's value in the types of TOML.
func (o option) toml() any {
	switch v := o.field.Interface().(type) {
	case server.Port, server.Seconds, server.Order, server.Status:
		return v
	case server.Number:
		return v.Value
	case server.Charset:
		return bool(v)
	}
	if text := o.written(); o.optional() && (text == "true" || text == "false") {
		return text == "true"
	}
	switch o.field.Kind() {
	case reflect.Map:
		return o.field.Interface()
	case reflect.Slice:
		words := make([]string, o.field.Len())
		for i := range words {
			words[i] = fmt.Sprint(o.field.Index(i).Interface())
		}
		return words
	}
	return o.written()
}

// tomlLine writes one key on one line.
func tomlLine(key string, v any) string {
	var b strings.Builder
	encoder := toml.NewEncoder(&b)
	encoder.SetTablesInline(true)
	if err := encoder.Encode(map[string]any{key: v}); err != nil {
		return "# " + key + ": " + err.Error()
	}
	return strings.TrimSpace(b.String())
}

// writeAdvanced writes what the file says in [advanced], as far as it means something.
func (s *settings) writeAdvanced(b *strings.Builder) {
	advanced, _ := s.file.values["advanced"].(map[string]any)
	for _, name := range s.file.sorted("advanced", advanced) {
		path := joinKey("advanced", name)
		switch v := advanced[name].(type) {
		case map[string]any:
			s.writeTable(b, "["+path+"]", path, v)
		case []any:
			for i, entry := range v {
				table, _ := entry.(map[string]any)
				s.writeTable(b, "[["+path+"]]", fmt.Sprintf("%s[%d]", path, i), table)
			}
		}
	}
}

func (s *settings) writeTable(b *strings.Builder, head, path string, table map[string]any) {
	fmt.Fprintf(b, "\n%-44s # %s\n", head, printable(s.position(path)))
	for _, key := range s.file.sorted(path, table) {
		b.WriteString(tomlLine(key, table[key]) + "\n")
	}
}
