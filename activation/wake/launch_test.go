package wake

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// buffer is a writer that a test reads while others write to it.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func shell(script string, env ...string) Config {
	return Config{Command: []string{"sh", "-c", script}, Path: "/bin/sh", Env: env, Stderr: &buffer{}, StopSignal: syscall.SIGTERM}
}

func launched(t *testing.T, c Config) *instance {
	t.Helper()
	family := newFamily(t)
	one, err := launch(c, family)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		family.signal(one.main, syscall.SIGKILL)
		await(t, one.main.ended, "the end of the program")
	})
	return one
}

func TestEnvironmentOfTheProgram(t *testing.T) {
	given := []string{
		"PATH=/usr/bin:/bin", "LISTEN_PID=1", "LISTEN_PIDFDID=2", "LISTEN_FDS=3", "LISTEN_FDNAMES=web", "LISTEN_ADDRESS=kept",
		"NOTIFY_SOCKET=@x", "WATCHDOG_USEC=5", "WATCHDOG_PID=6", "JOURNAL_STREAM=8:9", "EMPTY=", "A=b=c",
	}
	always := []string{"PATH=/usr/bin:/bin", "LISTEN_ADDRESS=kept"}
	rest := []string{"EMPTY=", "A=b=c"}
	for name, test := range map[string]struct {
		pass, piped bool
		want        []string
	}{
		"usual":          {false, true, nil},
		"own stderr":     {false, false, []string{"JOURNAL_STREAM=8:9"}},
		"notices passed": {true, true, []string{"NOTIFY_SOCKET=@x", "WATCHDOG_USEC=5"}},
	} {
		c := Config{Env: given, PassNotify: test.pass}
		if got, want := c.environment(test.piped), slices.Concat(always, test.want, rest); !slices.Equal(got, want) {
			t.Errorf("%s: %q\nwant %q", name, got, want)
		}
	}
}

func TestProgramGetsItsEnvironmentAndNoMore(t *testing.T) {
	file := t.TempDir() + "/env"
	one := launched(t, shell("env >"+file, "LISTEN_FDS=1", "X=y", "PATH="+os.Getenv("PATH")))
	await(t, one.main.ended, "the end")
	text, _ := os.ReadFile(file)
	var names []string
	for line := range strings.Lines(string(text)) {
		name, _, _ := strings.Cut(line, "=")
		if !slices.Contains([]string{"PWD", "SHLVL", "_", "OLDPWD"}, name) { // the shell's own
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if !slices.Equal(names, []string{"PATH", "X"}) {
		t.Errorf("variables %q", names)
	}
}

func TestStandardErrorIsCopiedAndKept(t *testing.T) {
	c := shell("echo first >&2; echo second >&2; exit 4")
	one := launched(t, c)
	await(t, one.errors.ended, "the end of standard error")
	if got := c.Stderr.(*buffer).String(); got != "first\nsecond\n" {
		t.Errorf("copied %q", got)
	}
	if got := one.errors.last(1, 0); !slices.Equal(got, []string{"second"}) {
		t.Errorf("kept %q", got)
	}
}

func TestOwnProcessGroup(t *testing.T) {
	one := launched(t, shell("exec sleep 60"))
	group, err := syscall.Getpgid(one.main.pid)
	if err != nil || group != one.main.pid {
		t.Errorf("group %d of %d: %v", group, one.main.pid, err)
	}
}

func TestProgramsThatCannotBeExecuted(t *testing.T) {
	family := newFamily(t)
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for path, want := range map[string]struct {
		status int
		says   string
	}{
		dir + "/missing": {127, "no such file"},
		file("noloader", "#!/nowhere/sh\n", 0o755): {127, "interpreter"},
		file("plain", "#!/bin/sh\n", 0o644):        {126, "permission denied"},
		file("text", "no program\n", 0o755):        {126, "no program for this machine"},
		dir:                                        {126, dir},
	} {
		_, err := launch(Config{Command: []string{path}, Path: path, Stderr: &buffer{}, StopSignal: syscall.SIGTERM}, family)
		var failure NotStarted
		if !errors.As(err, &failure) || failure.Status != want.status || !strings.Contains(err.Error(), want.says) {
			t.Errorf("%s: %v (status %d), want %d and %q", path, err, failure.Status, want.status, want.says)
		}
	}
}

func TestResolve(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	os.WriteFile(first+"/tool", []byte("#!/bin/sh\n"), 0o644)
	os.WriteFile(second+"/tool", []byte("#!/bin/sh\n"), 0o755)
	os.WriteFile(first+"/unusable", []byte("#!/bin/sh\n"), 0o644)
	os.Mkdir(first+"/folder", 0o755)
	t.Setenv("PATH", first+":"+second)
	for command, want := range map[string]struct {
		path   string
		status int
	}{
		"tool":             {second + "/tool", 0},
		"unusable":         {"", 126},
		"folder":           {"", 126},
		"nothing":          {"", 127},
		"":                 {"", 127},
		second + "/tool":   {second + "/tool", 0},
		first + "/tool":    {first + "/tool", 126},
		first + "/nothing": {first + "/nothing", 127},
		first:              {first, 126},
		first + "/tool/x":  {first + "/tool/x", 127},
	} {
		path, err := Resolve(command)
		var failure NotStarted
		if errors.As(err, &failure); failure.Status != want.status || want.status == 0 && path != want.path {
			t.Errorf("%q: %q, %v (status %d), want %q, %d", command, path, err, failure.Status, want.path, want.status)
		}
	}
	t.Chdir(second)
	t.Setenv("PATH", ":/nowhere")
	if path, err := Resolve("tool"); err != nil || path != "./tool" {
		t.Errorf("an empty folder of PATH: %q, %v", path, err)
	}
}

// TestProgramOfADyingProcess is no test but the process that TestProgramEndsWithUs starts and kills.
func TestProgramOfADyingProcess(t *testing.T) {
	file := os.Getenv("WAKE_TEST_DYING")
	if file == "" {
		return // it is started by another test
	}
	if _, err := launch(shell("trap 'echo told >"+file+".told; exit' TERM; echo $$ >"+file+"; while :; do sleep 0.05; done"), newFamily(t)); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Minute)
}
