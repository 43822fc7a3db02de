package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// version prints one line: name, version, and what it was built with.
func version(c console) error {
	_, err := fmt.Fprintf(c.stdout, "rouse %s %s %s/%s\n", versionNumber(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// versionNumber is the module's version as the Go command recorded it; "devel" for a build from a work tree.
func versionNumber() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}
