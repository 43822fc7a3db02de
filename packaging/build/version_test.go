package main

import "testing"

func TestVersions(t *testing.T) {
	for text, want := range map[string]struct{ plain, debian, alpine string }{
		"1.2.3":                              {"1.2.3", "1.2.3", "1.2.3"},
		"v1.2.3":                             {"1.2.3", "1.2.3", "1.2.3"},
		"1.2.3-rc.1":                         {"1.2.3-rc.1", "1.2.3~rc.1", "1.2.3_rc1"},
		"1.2.3-beta2":                        {"1.2.3-beta2", "1.2.3~beta2", "1.2.3_beta2"},
		"1.2.3+4.gabc1234":                   {"1.2.3+4.gabc1234", "1.2.3+4.gabc1234", "1.2.3_p4"},
		"0.0.0-devel.20261122144513.gabc123": {"0.0.0-devel.20261122144513.gabc123", "0.0.0~devel.20261122144513.gabc123", "0.0.0_pre20261122144513"},
	} {
		v, err := parseVersion(text)
		if err != nil || v.String() != want.plain || v.debian() != want.debian || v.alpine() != want.alpine {
			t.Errorf("%s: %q %q %q, %v; want %q", text, v, v.debian(), v.alpine(), err, want)
		}
	}
	for _, text := range []string{"", "1.2", "1.2.3-", "1.2.3 ", "one", "1.2.3-a_b", "1.2.3/../x"} {
		if v, err := parseVersion(text); err == nil {
			t.Errorf("%q is a version: %v", text, v)
		}
	}
}
