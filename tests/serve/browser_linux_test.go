package serve

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// browser is a headless Chromium that trusts any certificate.
type browser struct {
	t    *testing.T
	path string
}

func newBrowser(t *testing.T) browser {
	t.Helper()
	for _, name := range []string{"chromium-headless-shell", "chromium", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return browser{t, path}
		}
	}
	t.Skip("no Chromium: tests/setup.sh installs chromium-headless-shell")
	return browser{}
}

// run starts it with a profile of its own and returns what it wrote: stdout, and its log with the page's console.
func (b browser) run(args ...string) (stdout, log string) {
	b.t.Helper()
	profile := b.t.TempDir()
	ctx, cancel := context.WithTimeout(b.t.Context(), 90*time.Second)
	defer cancel()
	args = append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
		"--ignore-certificate-errors", "--user-data-dir=" + profile, "--enable-logging=stderr", "--timeout=30000"}, args...)
	cmd := exec.CommandContext(ctx, b.path, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // with all its helpers
	cmd.WaitDelay = time.Second
	cmd.Env = append(os.Environ(), "HOME="+profile)
	var errors strings.Builder
	cmd.Stderr = &errors
	out, err := cmd.Output()
	if err != nil {
		b.t.Fatalf("%s %s: %v\n%s", b.path, strings.Join(args, " "), err, errors.String())
	}
	return string(out), errors.String()
}

// Without this the first thing that a newcomer sees could be a page without its style, or an error page of the browser,
// and no other test would tell.
func TestBrowserShowsTheWelcomeSite(t *testing.T) {
	t.Parallel()
	if !inOwnNetwork(t) {
		return
	}
	b := newBrowser(t)
	d := newDeveloper(t)
	p := ready(d.rouse())
	for _, url := range []string{"https://localhost:8443/", "http://localhost:8080/"} {
		page, log := b.run("--dump-dom", url)
		says(t, page, "<title>", "welcome.css", "https://localhost:8443/", "rouse")
		if strings.Contains(log, "CONSOLE") {
			t.Errorf("%s: the page's console has messages:\n%s", url, log)
		}
	}
	p.Stderr.WaitFor(` GET 200 / .* HTTP/2.0\+TLS`, limit)
	p.Stderr.WaitFor(` GET 200 /welcome.css .* HTTP/2.0\+TLS`, limit)
	p.Stderr.WaitFor(` GET 200 /mark.svg `, limit)

	if strings.Contains(p.Stderr.String(), " GET 404 ") {
		t.Error("the page asks for something that is not there")
	}

	// ROUSE_SCREENSHOTS names a folder for somebody who wants to look.
	shots := os.Getenv("ROUSE_SCREENSHOTS")
	if shots == "" {
		shots = t.TempDir()
	}
	for name, args := range map[string][]string{
		"desktop":      {"--window-size=1280,1400"},
		"desktop-dark": {"--window-size=1280,1400", "--blink-settings=preferredColorScheme=0"},
		"phone":        {"--window-size=412,2000"},
		"phone-dark":   {"--window-size=412,2000", "--blink-settings=preferredColorScheme=0"},
	} {
		picture := filepath.Join(shots, name+".png")
		b.run(append(args, "--hide-scrollbars", "--screenshot="+picture, "https://localhost:8443/")...)
		if info, err := os.Stat(picture); err != nil || info.Size() < 10000 {
			t.Errorf("%s: no picture, or an empty one: %v, %v", name, info, err)
		}
	}
}
