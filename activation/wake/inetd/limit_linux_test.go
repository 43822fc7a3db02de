package inetd

import (
	"strings"
	"testing"
)

func TestParseLimit(t *testing.T) {
	for text, want := range map[string]Limit{
		"nofile=256":       {"nofile", 256, 256},
		"NPROC=8:16":       {"nproc", 8, 16},
		"as=512M":          {"as", 512 << 20, 512 << 20},
		"core=0:unlimited": {"core", 0, Infinity},
		"data=1K:1T":       {"data", 1 << 10, 1 << 40},
		"cpu=infinity":     {"cpu", Infinity, Infinity},
		"fsize=16777215T":  {"fsize", 16777215 << 40, 16777215 << 40},
		"stack=1G:2G":      {"stack", 1 << 30, 2 << 30},
	} {
		if got, err := ParseLimit(text); err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"nofile":             "has no value",
		"nofile=":            "has no value",
		"nofile=many":        `"many" is no number`,
		"nofile=1:":          `"" is no number`,
		"nofile=1KK":         `"1KK" is no number`,
		"nofile=-1":          `"-1" is no number`,
		"nofile=16777216T":   "is no number",
		"files=1":            `there is no limit "files": there are as, core,`,
		"nofile=2:1":         "the soft limit 2 is higher than the hard one 1",
		"nofile=unlimited:1": "is higher than the hard one",
	} {
		if _, err := ParseLimit(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", text, err, want)
		}
	}
}
