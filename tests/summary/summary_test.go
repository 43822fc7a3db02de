package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// module returns the files of a small module that goes wrong in every way the go command reports.
func module() map[string]string {
	return map[string]string{
		"go.mod":          "module example.test/m\n\ngo 1.26\n",
		"empty/empty.go":  "package empty\n",
		"good/good.go":    "package good\n",
		"broken/a.go":     "package broken\n",
		"broken/b.go":     "package broken\n\nvar x int = \"text\"\n",
		"user/user.go":    "package user\n\nimport _ \"example.test/m/broken\"\n",
		"main/main.go":    "package main\n\nimport \"os\"\n\nfunc main() { os.Exit(1) }\n",
		"vet/vet.go":      "package vet\n",
		"vet/vet_test.go": "package vet\n\nimport (\"fmt\"; \"testing\")\n\nfunc TestVet(t *testing.T) { fmt.Printf(\"%d\", \"x\") }\n",
		"good/good_test.go": `package good
import "testing"
func TestPlain(t *testing.T) {}
func TestTable(t *testing.T) {
	t.Run("one/1", func(t *testing.T) {})
	t.Run("two", func(t *testing.T) { t.Skip("no such", "thing") })
}
func TestMac(t *testing.T) { t.Skipf("needs %s", "launchctl") }
`,
		"bad/bad_test.go": `package bad
import "testing"
func TestTable(t *testing.T) {
	t.Log("set up by the parent")
	t.Run("one", func(t *testing.T) {})
	t.Run("two", func(t *testing.T) { t.Error("two is wrong") })
}
func TestParent(t *testing.T) {
	t.Run("fine", func(t *testing.T) {})
	t.Fatal("the parent itself is wrong")
}
`,
		"hang/hang_test.go": "package hang\nimport \"testing\"\nfunc TestBefore(t *testing.T) {}\nfunc TestHang(t *testing.T) { select {} }\n",
		"panic/panic_test.go": `package panic
import ("os"; "testing")
func TestPanic(t *testing.T) { t.Run("sub", func(t *testing.T) { panic("boom") }) }
func TestMain(m *testing.M) { os.Exit(m.Run()) }
`,
		"exit/exit_test.go": `package exit
import ("fmt"; "os"; "testing")
func TestNever(t *testing.T) {}
func TestMain(m *testing.M) { fmt.Println("cannot start"); os.Exit(3) }
`,
		"halt/halt_test.go": "package halt\nimport (\"os\"; \"testing\")\nfunc TestHalt(t *testing.T) { os.Exit(0) }\n",
	}
}

// events returns what `go test -json` says about packages of the module.
func events(t *testing.T, packages ...string) string {
	dir := t.TempDir()
	for name, text := range module() {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.CommandContext(t.Context(), "go", append([]string{"test", "-json", "-timeout=2s"}, packages...)...)
	command.Dir = dir
	command.Env = append(os.Environ(), "GOFLAGS=", "GOTOOLCHAIN=local")
	out, err := command.CombinedOutput()
	if len(out) == 0 {
		t.Fatal(err)
	}
	return string(out)
}

// sum returns all that the summary of the input prints, and the results.
func sum(t *testing.T, input string, noSkip bool, exceptions ...*exception) (string, *results) {
	var out bytes.Buffer
	r := newResults(&out, "example.test/m", exceptions, noSkip)
	if err := r.read(strings.NewReader(input)); err != nil {
		t.Fatal(err)
	}
	r.report()
	return out.String(), r
}

func expect(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestSkips(t *testing.T) {
	input := events(t, "./good", "./empty")

	text, r := sum(t, input, false)
	expect(t, text, "good.TestTable/two: no such thing\n", "good.TestMac: needs launchctl\n", "no tests", "\n2 passed, 0 failed, 2 skipped\n")
	if !strings.HasSuffix(text, "\n2 passed, 0 failed, 2 skipped\n") || len(r.failed) != 0 {
		t.Errorf("last line of\n%s", text)
	}

	text, _ = sum(t, input, true, &exception{test: "good.TestMac", cause: "a Mac"}, &exception{test: "good.TestGone", cause: "x"},
		&exception{test: "good.TestPlain", cause: "y"}, &exception{test: "elsewhere.TestOther", cause: "z"})
	expect(t, text, "good.TestTable/two: skipped, which is a failure here: no such thing", "cannot be had: a Mac",
		"names good.TestGone, which does not exist", "note: good.TestPlain ran", "\n2 passed, 1 failed, 1 skipped\n")
	if strings.Contains(text, "TestOther") {
		t.Errorf("a package that was not tested is called stale:\n%s", text)
	}
}

func TestFailures(t *testing.T) {
	text, _ := sum(t, events(t, "./bad"), false)
	expect(t, text, "two is wrong", "bad.TestTable: what it wrote itself", "set up by the parent", "the parent itself is wrong",
		"\n2 passed, 2 failed, 0 skipped\n")
}

func TestPackagesThatGoWrongAsAWhole(t *testing.T) {
	for _, c := range []struct {
		name  string
		wants []string
	}{
		{"./broken", []string{"broken: does not build", "b.go:3:13: cannot use", "\n0 passed, 1 failed, 0 skipped\n"}},
		{"./user", []string{"user: does not build", "b.go:3:13: cannot use", "\n0 passed, 1 failed, 0 skipped\n"}},
		{"./vet", []string{"vet: does not build", "wrong type", "\n0 passed, 1 failed, 0 skipped\n"}},
		{"./hang", []string{"panic: test timed out", "FAIL hang.TestHang", "\n1 passed, 1 failed, 0 skipped\n"}},
		{"./panic", []string{"panic: boom", "FAIL panic.TestPanic", "\n0 passed, 1 failed, 0 skipped\n"}},
		{"./exit", []string{"exit: failed outside its tests", "cannot start", "\n0 passed, 1 failed, 0 skipped\n"}},
		{"./halt", []string{"halt.TestHalt", "\n0 passed, 1 failed, 0 skipped\n"}},
		{"./missing", []string{"missing", "\n0 passed, 1 failed, 0 skipped\n"}},
	} {
		t.Run(strings.TrimPrefix(c.name, "./"), func(t *testing.T) {
			input := `{"Action":"stage","Stage":"tests"}` + "\n" + events(t, c.name) + `{"Action":"end","Status":1}` + "\n"
			text, _ := sum(t, input, false)
			expect(t, text, c.wants...)
		})
	}
}

func TestStages(t *testing.T) {
	text, r := sum(t, `{"Action":"stage","Stage":"gofmt"}
{"Action":"end","Status":0}
{"Action":"stage","Stage":"vet"}
a.go:1: is wrong
{"Action":"end","Status":2}
{"Action":"stage","Stage":"shellcheck"}
{"Action":"cannot","Output":"no shellcheck"}
{"Action":"stage","Stage":"tests"}
{"Action":"start","Package":"example.test/m/cut"}
{"Action":"run","Package":"example.test/m/cut","Test":"TestCut"}
{"Action":"end","Status":1}
{"Action":"stage","Stage":"last"}
`, false)
	expect(t, text, "vet: exit status 2\n      a.go:1: is wrong\n", "shellcheck: no shellcheck", "cut.TestCut: did not finish",
		"last: was cut short", "s  gofmt\n", "\n1 passed, 3 failed, 1 skipped\n")
	if len(r.stages) != 5 {
		t.Errorf("%d stages", len(r.stages))
	}
}

func TestLongOutputLosesItsMiddle(t *testing.T) {
	var o output
	for range keep {
		o.add("begin\n")
	}
	o.add("middle\n")
	o.add("middle\n")
	for range keep {
		o.add("end\n")
	}
	if text := o.String(); !strings.Contains(text, "… 2 lines …") || strings.Contains(text, "middle") {
		t.Error(text)
	}
}

// Without this a package whose result is a table would have it thrown away when it passes.
func TestTablesAreShown(t *testing.T) {
	var o output
	for _, line := range []string{"something\n", "| a | b |\n", "|---|---|\n", "| 1 | 2 |\n", "ok  \tx\n"} {
		o.add(line)
	}
	if got, want := o.table(), "| a | b |\n|---|---|\n| 1 | 2 |\n"; got != want {
		t.Errorf("the table is %q, want %q", got, want)
	}
}

func TestExceptionsNeedACause(t *testing.T) {
	file := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(file, []byte("# why\n\na.TestA no Mac\na.TestB\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readExceptions(file); err == nil || !strings.Contains(err.Error(), "a.TestB has no cause") {
		t.Error(err)
	}
	list := []*exception{{test: "a.TestA"}}
	if exceptionFor(list, "a.TestA/sub") == nil || exceptionFor(list, "a.TestAB") != nil {
		t.Error("an exception covers its test and the subtests, nothing else")
	}
}
