package main

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/rouse-server/rouse/packaging"
)

// Every file that is shipped has a place in packages, but for those of macOS.
func TestShippedFilesHavePlaces(t *testing.T) {
	err := fs.WalkDir(packaging.Files(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasPrefix(name, "launchd/") {
			return err
		}
		if len(places(name, nil)) == 0 {
			t.Errorf("%s is installed nowhere", name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A page of a former version is not known as ours when the package is removed: after a change of this one, prerm has to know
// both.
func TestFirstPageStays(t *testing.T) {
	if got := sum(firstPage).Encoded(); got != "52434b46089cf6eaba917cae7b06680324e264863cd3e6256f88e27ff96d8972" {
		t.Errorf("site/index.html is %s now: have the scripts before a removal take away the former one as well", got)
	}
}
