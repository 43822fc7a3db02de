package packaging

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// parsePlist reads an XML property list into map[string]any, []any, string, int and bool. It is stricter than the
// usual readers, which let the last of two equal keys win and read 0644 as 644: both are errors here.
func parsePlist(text string) (any, error) {
	p := plistParser{xml.NewDecoder(strings.NewReader(text))}
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

type plistParser struct{ *xml.Decoder }

// element returns the next opening tag, or io.EOF at the end of the element around it.
func (p plistParser) element() (xml.StartElement, error) {
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

func (p plistParser) value(start xml.StartElement) (any, error) {
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

func (p plistParser) array() (any, error) {
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

func (p plistParser) dict() (any, error) {
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

func TestParsePlistIsStrict(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"good":            {"<plist><dict><key>A</key><array><integer>20</integer><true/></array></dict></plist>", ""},
		"key twice":       {"<plist><dict><key>A</key><true/><key>A</key><true/></dict></plist>", "twice"},
		"octal integer":   {"<plist><dict><key>A</key><integer>0600</integer></dict></plist>", "not a value"},
		"hex integer":     {"<plist><dict><key>A</key><integer>0x1</integer></dict></plist>", "not a value"},
		"no value":        {"<plist><dict><key>A</key></dict></plist>", "value of"},
		"value for a key": {"<plist><dict><string>A</string><true/></dict></plist>", "where a key belongs"},
		"unknown element": {"<plist><dict><key>A</key><number>1</number></dict></plist>", "not a value"},
		"loose text":      {"<plist><dict>A</dict></plist>", "text between"},
		"two values":      {"<plist><true/><true/></plist>", "after the value"},
		"cut short":       {"<plist><dict><key>A</key>", "unexpected EOF"},
		"-- in a comment": {"<plist><!-- a -- b --><true/></plist>", "comment"},
	} {
		t.Run(name, func(t *testing.T) {
			value, err := parsePlist(test.text)
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
			} else if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, %v; want an error with %q", value, err, test.want)
			}
		})
	}
}
