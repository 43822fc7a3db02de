package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
)

// exception is a test that cannot run here, for a cause that nobody can mend.
type exception struct {
	test  string // "tests/launchd.TestLaunchctl": the package below the module, and the test or subtest
	cause string
	seen  bool // it was skipped, or it ran
}

// readExceptions reads a list of exceptions: one a line, the test, a space, the cause. Empty lines and those that begin
// with # do not count. Without a file name there are none.
func readExceptions(file string) ([]*exception, error) {
	if file == "" {
		return nil, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var list []*exception
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		test, cause, _ := strings.Cut(line, " ")
		if cause == "" {
			return nil, fmt.Errorf("read %s: %s has no cause: write it after the name", file, test)
		}
		list = append(list, &exception{test: test, cause: strings.TrimSpace(cause)})
	}
	return list, nil
}

// exceptionFor returns the exception that names the test or one it is a subtest of, or nil.
func exceptionFor(list []*exception, test string) *exception {
	for _, e := range list {
		if test == e.test || strings.HasPrefix(test, e.test+"/") {
			return e
		}
	}
	return nil
}
