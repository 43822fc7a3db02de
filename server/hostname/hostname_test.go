package hostname

import (
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	var table Table[string]
	for _, name := range []string{"example.com", "*.example.com", "*.deep.example.com", "WWW.Example.net.", "::1", "2001:DB8:0:0::1", "192.0.2.1", "only_here"} {
		if err := table.Add(name, name); err != nil {
			t.Fatal(err)
		}
	}
	for host, want := range map[string]string{
		"example.com":              "example.com",
		"EXAMPLE.com:8443":         "example.com",
		"example.com.":             "example.com",
		"a.example.com":            "*.example.com",
		"b.a.example.com":          "*.example.com",
		"a.deep.example.com":       "*.deep.example.com",
		"deep.example.com":         "*.example.com",
		"www.example.net":          "WWW.Example.net.",
		"example.net":              "",
		"[::1]":                    "::1",
		"[::1]:443":                "::1",
		"192.0.2.1:80":             "192.0.2.1",
		"[2001:db8::1]":            "2001:DB8:0:0::1",
		"only_here":                "only_here",
		"":                         "",
		"com":                      "",
		"notexample.com":           "",
		".example.com":             "*.example.com",
		"example.com:not-a-number": "example.com",
	} {
		if got, ok := table.Find(host); got != want || ok != (want != "") {
			t.Errorf("%q: %q, %v; want %q", host, got, ok, want)
		}
	}
}

func TestNothingIsFoundInAnEmptyTable(t *testing.T) {
	if _, ok := (&Table[int]{}).Find("example.com"); ok {
		t.Error("found")
	}
}

func TestWrongNames(t *testing.T) {
	var table Table[int]
	if err := table.Add("a.example", 1); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "*", "*.", "*example.com", "a b", "http://example.com", "example.com:80", "[::1]", "a/b", "a.*.example", "A.example", ".example", "*..example", "a..example", ".."} {
		if err := table.Add(name, 2); err == nil {
			t.Errorf("%q was taken", name)
		}
	}
}

// A client that sends a Host of nothing but dots does not make the server look for thousands of names.
func TestLongNamesAreNotLookedFor(t *testing.T) {
	var table Table[int]
	if err := table.Add("*.example.com", 1); err != nil {
		t.Fatal(err)
	}
	name := strings.Repeat("a.", (longest-len("example.com"))/2) + "example.com"
	if _, ok := table.Find(name + ".:65535"); !ok {
		t.Errorf("a name of %d bytes is not found", len(name))
	}
	if _, ok := table.Find(strings.Repeat("a.", 32<<10) + "example.com"); ok {
		t.Error("a name of 64 KiB is found")
	}
}
