package main

import (
	"slices"
	"strings"
	"testing"
)

func TestOptions(t *testing.T) {
	for _, test := range []struct {
		arguments, wants, why string
	}{
		{"--only zip", "", "--only zip: there are deb, rpm, apk, tar, universal, image, sbom"},
		{"--arch mips", "", "--arch mips: there are amd64, arm64"},
		{"packages", "", `"packages" is not an option`},
		{"--only deb,image --arch arm64", "linux/arm64", ""},
		{"--only universal --arch arm64", "darwin/amd64 darwin/arm64", ""},
		{"--only tar --arch amd64", "darwin/amd64 linux/amd64", ""},
		{"", "darwin/amd64 darwin/arm64 linux/amd64 linux/arm64", ""},
	} {
		o, err := parseOptions(strings.Fields(test.arguments))
		if test.why != "" {
			if err == nil || !strings.Contains(err.Error(), test.why) {
				t.Errorf("%s: %v, want %s", test.arguments, err, test.why)
			}
			continue
		}
		var got []string
		for _, target := range (&release{options: o}).targets() {
			got = append(got, target.os+"/"+target.arch)
		}
		if err != nil || !slices.Equal(got, strings.Fields(test.wants)) {
			t.Errorf("%s: %q, %v; want %s", test.arguments, got, err, test.wants)
		}
	}
}

func TestReleaseTime(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	if at, err := releaseTime(t.Context(), t.TempDir()); err != nil || at.Format("2006-01-02 15:04:05 MST") != "2023-11-14 22:13:20 UTC" {
		t.Errorf("%v, %v", at, err)
	}
	for _, text := range []string{"yesterday", "-1", "1.5"} {
		t.Setenv("SOURCE_DATE_EPOCH", text)
		if at, err := releaseTime(t.Context(), t.TempDir()); err == nil {
			t.Errorf("%s is %v", text, at)
		}
	}
	t.Setenv("SOURCE_DATE_EPOCH", "")
	if at, err := releaseTime(t.Context(), t.TempDir()); err == nil {
		t.Errorf("a folder without commits is of %v", at)
	}
}
