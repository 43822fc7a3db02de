package route

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// jsonKind is what a value of JSON is.
type jsonKind string

const (
	jsonObject  jsonKind = "an object"
	jsonArray   jsonKind = "an array"
	jsonString  jsonKind = "a string"
	jsonNumber  jsonKind = "a number"
	jsonBoolean jsonKind = "true or false"
	jsonNull    jsonKind = "null"
)

// jsonValue is a value, and where it stands.
type jsonValue struct {
	at     Position
	kind   jsonKind
	text   string // of a string or a number
	yes    bool   // of a boolean
	list   []*jsonValue
	fields []jsonField
}

type jsonField struct {
	key   string
	value *jsonValue
}

// jsonReader reads values, and complains of those that are of the wrong kind.
type jsonReader struct {
	*problems
	file    string
	notices []string
}

// parse reads a whole file, or returns nil.
func (r *jsonReader) parse(text []byte) *jsonValue {
	var syntax *json.SyntaxError
	var any json.RawMessage
	if err := json.Unmarshal(text, &any); errors.As(err, &syntax) {
		before := text[:min(max(0, int(syntax.Offset)-1), len(text))]
		near := text[len(before):min(len(text), len(before)+20)]
		r.add(r.line(1+bytes.Count(before, []byte("\n"))), shown(string(near)), "this is no JSON: %v", syntax)
		return nil
	}
	t := &jsonTree{jsonReader: r, text: text, in: json.NewDecoder(bytes.NewReader(text)), line: 1}
	t.in.UseNumber()
	v, err := t.value(0)
	if err != nil {
		r.add(r.line(t.line), "", "%v", err)
		return nil
	}
	return v
}

func (r *jsonReader) line(n int) Position { return Position{r.file, n} }

// jsonTree builds the values from the tokens.
type jsonTree struct {
	*jsonReader
	text []byte
	in   *json.Decoder
	read int64 // of the text
	line int   // there
}

// token returns the next one. The place of one that does not span lines is that of its end.
func (t *jsonTree) token() (json.Token, Position, error) {
	token, err := t.in.Token()
	end := t.in.InputOffset()
	t.line += bytes.Count(t.text[t.read:end], []byte("\n"))
	t.read = end
	return token, t.jsonReader.line(t.line), err
}

func (t *jsonTree) value(depth int) (*jsonValue, error) {
	const deepest = 20
	if depth > deepest {
		return nil, fmt.Errorf("the values are more than %d deep; python-socketbox's files are not", deepest)
	}
	token, at, err := t.token()
	v := &jsonValue{at: at, kind: jsonNull}
	switch of := token.(type) {
	case json.Delim:
		v.kind = jsonArray
		if of == '{' {
			v.kind = jsonObject
		}
		err = t.fill(v, depth)
	case string:
		v.kind, v.text = jsonString, of
	case json.Number:
		v.kind, v.text = jsonNumber, of.String()
	case bool:
		v.kind, v.yes = jsonBoolean, of
	}
	return v, err
}

// fill reads what is in an object or an array.
func (t *jsonTree) fill(v *jsonValue, depth int) error {
	seen := map[string]bool{}
	for t.in.More() {
		key := ""
		if v.kind == jsonObject {
			token, at, err := t.token()
			if err != nil {
				return err
			}
			if key, _ = token.(string); seen[key] {
				t.add(at, shown(key), "it stands there twice; take one of them out")
			}
			seen[key] = true
		}
		inner, err := t.value(depth + 1)
		if err != nil {
			return err
		}
		if v.kind == jsonObject {
			v.fields = append(v.fields, jsonField{key, inner})
		} else {
			v.list = append(v.list, inner)
		}
	}
	_, _, err := t.token()
	return err
}

// anyKey stands for keys of any name.
const anyKey = "*"

// object returns the fields of an object, and tells of those that are not known. It is nil where there is none.
func (r *jsonReader) object(v *jsonValue, name string, known ...string) map[string]*jsonValue {
	if v == nil || !r.is(v, name, jsonObject) {
		return nil
	}
	fields := map[string]*jsonValue{}
	for _, f := range v.fields {
		fields[f.key] = f.value
	}
	if known[0] == anyKey {
		return fields
	}
	isKnown := map[string]bool{}
	for _, k := range known {
		isKnown[k] = true
	}
	for _, f := range v.fields {
		if !isKnown[f.key] {
			r.notice(f.value.at, strings.TrimPrefix(name+"."+shown(f.key), "."), "python-socketbox knows no such key, and it is passed over; there are "+strings.Join(known, ", "))
		}
	}
	return fields
}

// want returns a field that has to be there, or nil.
func (r *jsonReader) want(v *jsonValue, fields map[string]*jsonValue, name, key string) *jsonValue {
	if fields == nil {
		return nil
	}
	if fields[key] == nil {
		r.add(v.at, name, "%s is missing; write \"%s\": …", key, key)
	}
	return fields[key]
}

func (r *jsonReader) is(v *jsonValue, name string, kind jsonKind) bool {
	if v.kind != kind {
		r.add(v.at, name, "it is %s, and should be %s", v.kind, kind)
	}
	return v.kind == kind
}

// array returns what is in an array; nothing where there is none.
func (r *jsonReader) array(v *jsonValue, name string) []*jsonValue {
	if v == nil || !r.is(v, name, jsonArray) {
		return nil
	}
	return v.list
}

func (r *jsonReader) string(v *jsonValue, name string) (string, bool) {
	if !r.is(v, name, jsonString) {
		return "", false
	}
	if strings.Contains(v.text, "\x00") {
		r.add(v.at, name, "there is a zero byte in it; take it out")
		return "", false
	}
	return v.text, true
}

// number reads a whole number up to most, which may stand in quotes.
func (r *jsonReader) number(v *jsonValue, name string, most uint64) (uint64, bool) {
	n, err := strconv.ParseUint(v.text, 10, 64)
	if v.kind != jsonNumber && v.kind != jsonString || err != nil || n > most {
		what := string(v.kind)
		if v.text != "" {
			what = shown(v.text)
		}
		r.add(v.at, name, "%s is no number from 0 to %d", what, most)
		return 0, false
	}
	return n, true
}

// yes reads true or false; 1 is true as well there.
func (r *jsonReader) yes(v *jsonValue, name string, otherwise bool) bool {
	switch {
	case v == nil:
		return otherwise
	case v.kind == jsonNumber && (v.text == "0" || v.text == "1"):
		return v.text == "1"
	case !r.is(v, name, jsonBoolean):
		return otherwise
	}
	return v.yes
}

func (r *jsonReader) notice(at Position, name, text string) {
	r.notices = append(r.notices, fmt.Sprintf("%s: %s: %s", at, name, text))
}
