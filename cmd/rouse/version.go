package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// release is the version of a package, set when it is linked: go build -ldflags "-X main.release=1.2.3". The linker can set
// nothing but a variable.
var release string

// version prints one line: name, version, and what it was built with.
func version(c console) error {
	_, err := fmt.Fprintf(c.stdout, "rouse %s %s %s/%s\n", versionNumber(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// versionNumber is that of the package; else the module's as the Go command recorded it; "devel" for a build from a work tree.
func versionNumber() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "(devel)" {
		return cmp.Or(strings.TrimPrefix(release, "v"), "devel")
	}
	return cmp.Or(strings.TrimPrefix(release, "v"), info.Main.Version, "devel")
}
