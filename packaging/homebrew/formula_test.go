// Package homebrew holds the formula of Homebrew's. Its tests evaluate it in a stand-in for brew (testdata/brew.rb), as brew
// itself cannot be had everywhere; what brew 4.2 makes of the service is in testdata too.
package homebrew

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"howett.net/plist"

	"github.com/rouse-server/rouse/packaging"
	"github.com/rouse-server/rouse/packaging/install"
)

var update = flag.Bool("update", false, "write what the formula makes of its service into testdata")

// ruby runs Ruby, with its warnings, and returns what it printed.
func ruby(t *testing.T, arguments ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, "ruby", append([]string{"-w"}, arguments...)...)
	command.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	var said bytes.Buffer
	command.Stderr = &said
	output, err := command.Output()
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("no ruby here")
	}
	if err != nil || said.Len() > 0 {
		t.Fatalf("ruby %q: %v\n%s", arguments, err, said.String())
	}
	return string(output)
}

func TestFormulaIsRuby(t *testing.T) {
	if got := ruby(t, "-c", "rouse.rb"); got != "Syntax OK\n" {
		t.Errorf("%q", got)
	}
}

// said is what the formula says of itself.
type said struct {
	Desc, Homepage, License, URL, SHA256 string
	Head                                 struct{ URL string }
	DependsOn                            []map[string]string `json:"depends_on"`
	Blocks                               []string
}

func formula(t *testing.T, file string) said {
	t.Helper()
	var s said
	if err := json.Unmarshal([]byte(ruby(t, "testdata/brew.rb", "json", file)), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestFormulaSaysWhatBrewAsksFor(t *testing.T) {
	f := formula(t, "rouse.rb")
	// brew audit: no article in front, no full stop, at most 80 characters.
	if f.Desc == "" || len(f.Desc) > 80 || strings.HasSuffix(f.Desc, ".") || strings.HasPrefix(f.Desc, "A ") {
		t.Errorf("desc %q", f.Desc)
	}
	if f.License != "Apache-2.0" || f.Homepage == "" || f.Head.URL == "" || len(f.DependsOn) != 1 || f.DependsOn[0]["go"] != "build" {
		t.Errorf("%+v", f)
	}
	if want := []string{"livecheck", "service", "test"}; !slices.Equal(f.Blocks, want) {
		t.Errorf("blocks %q, want %q", f.Blocks, want)
	}
}

// The property list is held to launchd's keys: above all, the job is started by its sockets alone.
func TestServiceOnAMac(t *testing.T) {
	const file = "testdata/homebrew.mxcl.rouse.plist"
	text := ruby(t, "testdata/brew.rb", "plist", "rouse.rb")
	same(t, file, text)
	if err := install.CheckPropertyList(file, []byte(text)); err != nil {
		t.Error(err)
	}
	var got, shipped struct {
		Sockets     map[string]any
		ProcessType string
	}
	if _, err := plist.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	agent, err := packaging.Files().Open("launchd/agent/io.github.rouse-server.rouse.plist")
	if err != nil {
		t.Fatal(err)
	}
	defer agent.Close()
	var all bytes.Buffer
	if _, err := all.ReadFrom(agent); err != nil {
		t.Fatal(err)
	}
	if _, err := plist.Unmarshal(all.Bytes(), &shipped); err != nil {
		t.Fatal(err)
	}
	if len(got.Sockets) != len(shipped.Sockets) || got.ProcessType != shipped.ProcessType {
		t.Errorf("sockets %v, type %s; the agent has %v, %s", got.Sockets, got.ProcessType, shipped.Sockets, shipped.ProcessType)
	}
	for name := range shipped.Sockets {
		if got.Sockets[name] == nil {
			t.Errorf("no socket %s, which the agent has", name)
		}
	}
}

func TestServiceOnLinux(t *testing.T) {
	same(t, "testdata/homebrew.rouse.service", ruby(t, "testdata/brew.rb", "unit", "rouse.rb"))
}

// same compares a text with a file.
func same(t *testing.T, file, text string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("%s is another now (go test -update writes it):\n%s", file, text)
	}
}

func TestFormulaOfARelease(t *testing.T) {
	sum := strings.Repeat("0123456789abcdef", 4)
	text, err := exec.CommandContext(t.Context(), "./formula.sh", "v1.2.3", sum).Output()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "rouse.rb")
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	ruby(t, "-c", file)
	f := formula(t, file)
	if want := "https://github.com/rouse-server/rouse/archive/refs/tags/v1.2.3.tar.gz"; f.URL != want || f.SHA256 != sum {
		t.Errorf("url %q, sha256 %q", f.URL, f.SHA256)
	}
	for _, arguments := range [][]string{nil, {"1.2.3"}, {"1.2.3", "abc"}, {"next", sum}, {"1.2.3", strings.ToUpper(sum)}} {
		if text, err := exec.CommandContext(t.Context(), "./formula.sh", arguments...).Output(); err == nil || len(text) > 0 {
			t.Errorf("%q: %v, %q", arguments, err, text)
		}
	}
}
