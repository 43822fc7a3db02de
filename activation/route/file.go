package route

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// maxFile bounds a file of rules, in bytes: there is room for a million prefixes.
const maxFile = 64 << 20

// ReadFile reads a file of rules: Rouse's own when its name ends in .toml, else python-socketbox's JSON when it begins with a
// brace, else socketbox's directives. The error has a line FILE:LINE: TOKEN: REASON for each problem, twenty at most.
func ReadFile(path string) (Config, error) {
	text, err := load(path)
	if err != nil {
		return Config{}, err
	}
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("-----BEGIN ")) { // its lines are not shown: they may be a private key
		return Config{}, fmt.Errorf("%s: it is a PEM file, as certificates and keys are, and not one of rules; name another", path)
	}
	read := readDirectives
	switch {
	case filepath.Ext(path) == ".toml":
		read = readTOML
	case bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")):
		read = readJSON
	}
	var p problems
	c := read(path, text, &p)
	c.File = path
	if p.err() == nil {
		c.check(&p)
	}
	if err := p.err(); err != nil {
		if filepath.Ext(path) != ".toml" && likeTOML(text) {
			return Config{}, fmt.Errorf("%s: it looks like TOML, and such a file of rules has a name that ends in .toml; rename it", path)
		}
		return Config{}, err
	}
	c.Notices = append(c.Notices, c.doubts()...)
	return c, nil
}

func load(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the rules: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot read the rules: %w", err)
	case len(text) > maxFile:
		return nil, fmt.Errorf("%s: larger than %d MiB, so hardly a file of rules; name another", path, maxFile>>20)
	}
	return bytes.TrimPrefix(text, []byte("\ufeff")), nil // editors on Windows put it there
}

// likeTOML tells whether the first line of a text that is no comment is a table or a key of TOML. Directives have a colon behind
// their first word, and no brackets.
func likeTOML(text []byte) bool {
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		key, _, isKey := bytes.Cut(line, []byte("="))
		return line[0] == '[' && len(line) > 2 || isKey && !bytes.ContainsAny(key, ":{")
	}
	return false
}
