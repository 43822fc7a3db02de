// Package tests holds the shape of the house: which package may import which, what lies at the top, and what the
// binaries for each platform are made of. The folders beside it test the program from outside.
package tests

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/rouse-server/rouse"

// arrow says what the packages at or below a folder may import.
type arrow struct {
	from    string
	ours    []string // folders of this module; "x/..." is everything at or below x, "x" only x itself
	outside []string // other modules; nil for any
	because string
}

// arrows returns the arrows of the house. The one with the longest from holds for a package.
func arrows() []arrow {
	return []arrow{
		{"platform", []string{"platform/..."}, []string{"golang.org/x/sys"},
			"platform is system calls only: the standard library, x/sys and the libraries of the OS"},
		{"platform/sklookup", []string{"platform/..."}, []string{"golang.org/x/sys", "github.com/cilium/ebpf"},
			"of the platform only sklookup speaks to the kernel's BPF, by cilium/ebpf"},
		{"activation/handoff", []string{"activation/handoff/...", "platform/..."}, nil,
			"the hand-off is below activation, which uses it as one of its sources"},
		{"activation", []string{"activation", "activation/handoff/...", "platform/..."}, nil,
			"activation only gets sockets: wake, route and relay are above it"},
		{"activation/relay", []string{"activation", "activation/handoff/...", "activation/relay/...", "platform/..."}, nil,
			"relay copies between two sockets, for wake and route, and knows neither"},
		{"activation/wake", []string{"activation", "activation/handoff/...", "activation/relay/...", "activation/wake/...", "platform/..."}, nil,
			"wake may use platform and relay, and never route"},
		{"activation/route", []string{"activation", "activation/handoff/...", "activation/relay/...", "activation/route/...", "platform/..."}, nil,
			"route may use platform and relay, and never wake"},
		{"server", []string{"server/..."}, nil,
			"server takes listeners and an *os.Root and cannot tell where they came from"},
		{"packaging", []string{"packaging/..."}, nil,
			"packaging is the bytes that packages ship and install writes"},
		{"cmd", []string{"activation/...", "cmd/...", "packaging/...", "platform/...", "server/..."}, nil,
			"the program has nothing of the tests in it"},
		{"tests", []string{"packaging/...", "tests/..."}, nil,
			"tests see the program from outside: what needs a package is tested beside it"},
	}
}

func TestArrows(t *testing.T) {
	for _, file := range sources(t) {
		// Unit tests may reach for a neighbour; those in tests/ are the tests themselves.
		if strings.HasSuffix(file.name, "_test.go") && !strings.HasPrefix(file.name, "tests/") {
			continue
		}
		for _, spec := range file.syntax.Imports {
			imported, _ := strconv.Unquote(spec.Path.Value)
			if reason := forbidden(path.Dir(file.name), imported); reason != "" {
				t.Errorf("%s imports %s: %s", file.name, imported, reason)
			}
		}
	}
}

// forbidden returns why the package in folder from may not import a package, or "".
func forbidden(from, imported string) string {
	var rule arrow
	for _, a := range arrows() {
		if within(from, a.from) && len(a.from) > len(rule.from) {
			rule = a
		}
	}
	if rule.from == "" {
		return "no arrow begins at " + from
	}
	ours, isOurs := strings.CutPrefix(imported, module+"/")
	domain, _, _ := strings.Cut(imported, "/")
	standard := !strings.Contains(domain, ".")
	allowed := standard
	switch {
	case isOurs:
		allowed = slices.ContainsFunc(rule.ours, func(folder string) bool {
			below, all := strings.CutSuffix(folder, "/...")
			return ours == below || all && within(ours, below)
		})
	case !standard:
		allowed = rule.outside == nil || slices.ContainsFunc(rule.outside, func(m string) bool { return within(imported, m) })
	}
	// A room of the server is below it: server/… ← server.
	if allowed && (ours != "server" || !strings.HasPrefix(from, "server/")) {
		return ""
	}
	return rule.because
}

func within(folder, parent string) bool {
	return folder == parent || strings.HasPrefix(folder, parent+"/")
}

func TestForbidden(t *testing.T) {
	for _, c := range []struct {
		from, imported string
		want           bool
	}{
		{"server", module + "/server/files", false},
		{"server/files", module + "/server", true},
		{"server/files", module + "/server/errorpage", false},
		{"server", module + "/platform", true},
		{"server", module + "/activation", true},
		{"platform/launchd", "golang.org/x/sys/unix", false},
		{"platform", "golang.org/x/net/http2", true},
		{"platform", module + "/activation", true},
		{"activation", module + "/platform/launchd", false},
		{"activation", module + "/activation/wake", true},
		{"activation/wake", module + "/activation/route", true},
		{"activation/route", module + "/activation/relay", false},
		{"activation/handoff", module + "/activation", true},
		{"packaging/install", module + "/activation", true},
		{"packaging/install", module + "/packaging", false},
		{"cmd/rouse", module + "/server/files", false},
		{"cmd/rouse", module + "/tests/program", true},
		{"cmd/rouse", "github.com/spf13/pflag", false},
		{"tests/files", module + "/server", true},
		{"elsewhere", "fmt", true},
	} {
		if got := forbidden(c.from, c.imported); (got != "") != c.want {
			t.Errorf("%s imports %s: %q", c.from, c.imported, got)
		}
	}
}

// Every binary is static and is built for every platform from every platform: there is no cgo. What init does happens
// before main can say what went wrong, and in every test: there is none.
func TestNoCgoAndNoInit(t *testing.T) {
	for _, file := range sources(t) {
		for _, spec := range file.syntax.Imports {
			if spec.Path.Value == `"C"` {
				t.Errorf("%s uses cgo", file.name)
			}
		}
		for _, declaration := range file.syntax.Decls {
			if f, ok := declaration.(*ast.FuncDecl); ok && f.Name.Name == "init" && f.Recv == nil {
				t.Errorf("%s has a func init: call it by name from where it is needed", file.name)
			}
		}
	}
}

// The modules that only tests use stay out of the program; purego would also make it dynamically linked.
func TestProgramHasNoTestCode(t *testing.T) {
	for _, target := range targets() {
		list := exec.CommandContext(t.Context(), "go", "list", "-deps", "./cmd/rouse")
		list.Dir, list.Env = root, target.env()
		out, err := list.CombinedOutput()
		if err != nil {
			t.Fatalf("go list -deps ./cmd/rouse for %s: %v\n%s", target, err, out)
		}
		for name := range strings.FieldsSeq(string(out)) {
			for _, test := range []string{"testing", "net/http/httptest", "github.com/ebitengine/purego", module + "/tests"} {
				if within(name, test) {
					t.Errorf("the program for %s contains %s", target, name)
				}
			}
		}
	}
}

func TestTopLevelIsFixed(t *testing.T) {
	// What git knows, so that a build or a folder of pages beside the code does no harm. The checkout may be somebody else's.
	out, err := exec.CommandContext(t.Context(), "git", "-c", "safe.directory=*", "-C", root, "ls-files").Output()
	if err != nil {
		t.Skipf("not in a git checkout: %v", err)
	}
	known := strings.Fields("cmd activation platform server packaging tests go.mod go.sum README.md LICENSE")
	for name := range strings.Lines(string(out)) {
		top, _, _ := strings.Cut(strings.TrimSpace(name), "/")
		if !slices.Contains(known, top) && !strings.HasPrefix(top, ".") {
			t.Errorf("%s is at the top level, where only %v and dot-files are", top, known)
		}
	}
}

// root is the module's folder, seen from this package's.
const root = ".."

type source struct {
	name   string // below root
	syntax *ast.File
}

// sources parses all Go files of the module, for whatever platform they are.
func sources(t *testing.T) []source {
	t.Helper()
	var list []source
	files := token.NewFileSet()
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "testdata" || strings.HasPrefix(entry.Name(), ".") && name != root):
			return filepath.SkipDir
		case entry.IsDir() || filepath.Ext(name) != ".go":
			return nil
		}
		syntax, err := parser.ParseFile(files, name, nil, parser.SkipObjectResolution)
		if err != nil {
			return fmt.Errorf("parse %s: %w", name, err)
		}
		below, err := filepath.Rel(root, name)
		list = append(list, source{filepath.ToSlash(below), syntax})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		t.Fatalf("no Go files below %s", root)
	}
	return list
}
