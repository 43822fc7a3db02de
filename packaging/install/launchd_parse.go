package install

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// parsePropertyList reads an XML property list into map[string]any, []any, string, int and bool. It is stricter than the
// usual readers, which let the last of two equal keys win and read 0644 as 644: both are errors here.
func parsePropertyList(text string) (any, error) {
	p := listParser{xml.NewDecoder(strings.NewReader(text))}
	root, err := p.element()
	if err != nil {
		return nil, err
	}
	if root.Name.Local != "plist" {
		return nil, fmt.Errorf("the root is %s, not plist", root.Name.Local)
	}
	first, err := p.element()
	if err != nil {
		return nil, err
	}
	value, err := p.value(first)
	if err != nil {
		return nil, err
	}
	// Behind the value and the end of plist, nothing may come.
	for range 2 {
		if next, err := p.element(); !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("after the value: %v, %v", next.Name.Local, err)
		}
	}
	return value, nil
}

type listParser struct{ *xml.Decoder }

// element returns the next opening tag, or io.EOF at the end of the element around it.
func (p listParser) element() (xml.StartElement, error) {
	for {
		token, err := p.Token()
		if err != nil {
			return xml.StartElement{}, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			return token, nil
		case xml.EndElement:
			return xml.StartElement{}, io.EOF
		case xml.CharData:
			if strings.TrimSpace(string(token)) != "" {
				return xml.StartElement{}, fmt.Errorf("text between elements: %q", token)
			}
		}
	}
}

func (p listParser) value(start xml.StartElement) (any, error) {
	switch start.Name.Local {
	case "dict":
		return p.dict()
	case "array":
		return p.array()
	}
	var text string
	if err := p.DecodeElement(&text, &start); err != nil {
		return nil, err
	}
	switch kind := start.Name.Local; {
	case kind == "string":
		return text, nil
	case kind == "integer" && regexp.MustCompile(`^(0|-?[1-9][0-9]*)$`).MatchString(text):
		return strconv.Atoi(text)
	case (kind == "true" || kind == "false") && text == "":
		return kind == "true", nil
	default:
		return nil, fmt.Errorf("%s %q is not a value", kind, text)
	}
}

func (p listParser) array() (any, error) {
	values := []any{}
	for {
		start, err := p.element()
		if errors.Is(err, io.EOF) {
			return values, nil
		}
		if err != nil {
			return nil, err
		}
		value, err := p.value(start)
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
}

func (p listParser) dict() (any, error) {
	values := map[string]any{}
	for {
		start, err := p.element()
		if errors.Is(err, io.EOF) {
			return values, nil
		}
		var key string
		if err != nil {
			return nil, err
		}
		if err := p.DecodeElement(&key, &start); err != nil {
			return nil, err
		}
		if start.Name.Local != "key" {
			return nil, fmt.Errorf("%s %q where a key belongs", start.Name.Local, key)
		}
		if _, ok := values[key]; ok {
			return nil, fmt.Errorf("key %q stands there twice", key)
		}
		if start, err = p.element(); err != nil {
			return nil, fmt.Errorf("value of %q: %w", key, err)
		}
		if values[key], err = p.value(start); err != nil {
			return nil, fmt.Errorf("value of %q: %w", key, err)
		}
	}
}
