package install

import (
	"strings"
	"testing"
)

func TestPropertyListsAreReadStrictly(t *testing.T) {
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
			value, err := parsePropertyList(test.text)
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
