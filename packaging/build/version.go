package main

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// version is a semantic version (semver.org), which each kind of package spells in its own way.
type version struct {
	number string // 1.2.3
	before string // of a version before that one: rc.1
	build  string // of one after it: 4.gabc1234
}

// parseVersion reads 1.2.3, v1.2.3-rc.1 and the like.
func parseVersion(text string) (version, error) {
	match := regexp.MustCompile(`^v?(\d+\.\d+\.\d+)(?:-([0-9A-Za-z.]+))?(?:\+([0-9A-Za-z.]+))?$`).FindStringSubmatch(text)
	if match == nil {
		return version{}, fmt.Errorf("%q is not a version such as 1.2.3, 1.2.3-rc.1 or 1.2.3+4.gabc1234", text)
	}
	return version{match[1], match[2], match[3]}, nil
}

// describe names the checkout by its last tag vX.Y.Z, and, behind that, by the number of commits since then and the last of
// them. Without a tag it comes before all releases.
func describe(ctx context.Context, root string, at time.Time) string {
	if text, err := git(ctx, root, "describe", "--tags", "--match=v[0-9]*", "--always"); err == nil {
		if match := regexp.MustCompile(`^(v\d.*?)-(\d+)-(g[0-9a-f]+)$`).FindStringSubmatch(text); match != nil {
			return match[1] + "+" + match[2] + "." + match[3]
		}
		if strings.HasPrefix(text, "v") {
			return text
		}
		return "0.0.0-devel." + at.Format("20060102150405") + ".g" + text
	}
	return "0.0.0-devel." + at.Format("20060102150405") // not a checkout
}

func (v version) String() string { return v.spelled("-") }

// debian is how Debian and RPM spell it: what follows a tilde comes before the version (deb-version(7)).
func (v version) debian() string { return v.spelled("~") }

// spelled puts a sign in front of what comes before the version.
func (v version) spelled(before string) string {
	text := v.number
	if v.before != "" {
		text += before + v.before
	}
	if v.build != "" {
		text += "+" + v.build
	}
	return text
}

// alpine is how apk spells it: it knows alpha, beta, pre and rc before a version and p after it, each with a number
// (apk-package(5)).
func (v version) alpine() string {
	text := v.number
	if v.before != "" {
		name := regexp.MustCompile(`^(alpha|beta|pre|rc)`).FindString(v.before)
		if name == "" {
			name = "pre"
		}
		text += "_" + name + regexp.MustCompile(`\d+`).FindString(v.before)
	}
	if number := regexp.MustCompile(`^\d+`).FindString(v.build); number != "" {
		text += "_p" + number
	}
	return text
}
