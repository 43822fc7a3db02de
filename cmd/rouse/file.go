package main

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// file is a TOML file of options that was read.
type file struct {
	path   string
	values map[string]any  // the document
	marks  map[string]mark // where the keys stand: "general.port", "advanced.redirects[1].source"
}

// readFile reads the file that the flags or the variable name, or the one that lies here.
func (s *settings) readFile(words []word) *layer {
	l := newLayer()
	as, path, notices, err := findFile(words)
	l.notices = notices
	if err == nil && path != "" {
		s.file, err = openFile(as, path)
	}
	if err != nil {
		l.problems = append(l.problems, err)
		return l
	}
	if s.file == nil {
		return l
	}
	s.readTables(l)
	s.adopt(l)
	for _, o := range s.options() {
		if as := l.given[o.name()]; as != "" && o.means == "" {
			s.fromFile[o.name()] = origin{as, o.written()}
		}
	}
	return l
}

// findFile returns the path of the file to read, or none. as is what it was named with.
func findFile(words []word) (as, path string, notices []string, err error) {
	as, wrong := "SERVER_CONFIG_FILE", config
	path = os.Getenv(as)
	for _, w := range words {
		if w.name == "config-file" && w.value != "" {
			path, as, wrong = w.value, "--config-file", usage
		}
	}
	if path == "" {
		path, notices = fileHere()
		return "", path, notices, nil
	}
	if filepath.Ext(path) != ".toml" {
		return "", "", nil, wrong("%s %s: the name of a file of options ends in .toml", as, path)
	}
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return "", "", []string{as + " " + path + ": there is no such file" + beneath(path) + ", so it is left out"}, nil
	}
	return as, path, nil, nil
}

// fileHere looks into the working directory. static-web-server also reads config.toml; so do other programs, each its own.
func fileHere() (path string, notices []string) {
	exists := func(path string) bool {
		_, err := os.Stat(path)
		return err == nil
	}
	info, err := os.Stat("config.toml")
	ours := func(line string) bool {
		line = strings.ReplaceAll(line, " ", "")
		return strings.HasPrefix(line, "[general") || strings.HasPrefix(line, "[advanced") || strings.HasPrefix(line, "[[advanced.")
	}
	switch {
	case exists("rouse.toml") && exists("sws.toml"):
		return "rouse.toml", []string{"sws.toml is not read: rouse.toml is"}
	case exists("rouse.toml"):
		return "rouse.toml", nil
	case exists("sws.toml"):
		return "sws.toml", nil
	}
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxOptions {
		return "", nil
	}
	text, err := os.ReadFile("config.toml")
	if err == nil && slices.ContainsFunc(strings.Split(string(text), "\n"), ours) {
		return "config.toml", []string{"config.toml is an old name for a file of options: call it sws.toml, or say --config-file config.toml"}
	}
	return "", nil
}

// maxOptions bounds a file of options, in bytes: there is room for 100,000 redirects.
const maxOptions = 16 << 20

// openFile reads and parses a file. as is what it was named with; empty where it lay here.
func openFile(as, path string) (*file, error) {
	if err := present(cmp.Or(as, "the file of options"), path, "file"); err != nil && as == "" {
		return nil, config("%w with --config-file or SERVER_CONFIG_FILE", err)
	} else if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, config("%s: %w", path, withoutPath(err))
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxOptions+1))
	switch {
	case err != nil:
		return nil, config("%s: reading failed: %w", path, withoutPath(err))
	case len(text) > maxOptions:
		return nil, config("%s: larger than %d MiB, so hardly a file of options: name another", path, maxOptions>>20)
	}
	return parseFile(path, text)
}

// parseFile takes what stands in a file apart.
func parseFile(path string, text []byte) (*file, error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff")) // editors on Windows put it there
	f := &file{path: path, values: map[string]any{}, marks: map[string]mark{}}
	if err := toml.Unmarshal(text, &f.values); err != nil {
		if wrong, ok := errors.AsType[*toml.DecodeError](err); ok {
			line, column := wrong.Position()
			return nil, config("%s:%d: not TOML at column %d: %s", path, line, column, strings.TrimPrefix(wrong.Error(), "toml: "))
		}
		return nil, config("%s: not TOML: %w", path, err)
	}
	f.locate(text)
	return f, nil
}
