package server

import (
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func maintenanceOf(change func(*Config)) (*maintenanceMode, *lines) {
	log, c := &lines{}, Default()
	change(&c)
	return newMaintenance(c, slog.New(slog.NewJSONHandler(log, nil))), log
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestMaintenanceAnswer(t *testing.T) {
	t.Parallel()
	m, _ := maintenanceOf(func(c *Config) { c.MaintenanceMode = true })
	w := sent(m.answer, saying("in"), asking("GET", "/"))
	if w.Code != 503 || !strings.Contains(w.Body.String(), "<h1>The server is in maintenance mode.</h1>") || w.Header().Get("Retry-After") != "60" ||
		w.Header().Get("Content-Type") != "text/html; charset=utf-8" || w.Header().Get("Cache-Control") != "no-cache" {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	length := w.Header().Get("Content-Length")
	if w := sent(m.answer, saying("in"), asking("HEAD", "/")); w.Code != 503 || w.Body.Len() != 0 || w.Header().Get("Content-Length") != length {
		t.Errorf("HEAD: %d %v %q", w.Code, w.Header(), w.Body)
	}
	for status, retry := range map[Status]string{200: "", 404: "", 429: "60", 204: "", 304: ""} {
		m, _ := maintenanceOf(func(c *Config) { c.MaintenanceMode, c.MaintenanceModeStatus = true, status })
		w := sent(m.answer, saying("in"), asking("GET", "/"))
		if w.Code != int(status) || w.Header().Get("Retry-After") != retry || (w.Body.Len() == 0) != (status == 204 || status == 304) {
			t.Errorf("%d: %d %v", status, w.Code, w.Header())
		}
	}
	m, _ = maintenanceOf(func(*Config) {})
	if w := sent(m.answer, saying("in"), asking("GET", "/")); w.Code != 200 {
		t.Error(w.Code)
	}
}

func TestMaintenanceToggle(t *testing.T) {
	t.Parallel()
	m, _ := maintenanceOf(func(*Config) {})
	off, on := Default(), Default()
	on.MaintenanceMode = true
	for i, step := range []struct {
		do   func()
		want bool
	}{
		{func() {}, false},
		{func() { m.Toggle() }, true},
		{func() { m.Configure(off) }, true}, // a reload for other reasons
		{func() { m.Toggle() }, false},
		{func() { m.Configure(on) }, true},
		{func() { m.Toggle() }, false},
		{func() { m.Configure(on) }, false},
		{func() { m.Configure(off) }, false},
		{func() { m.Toggle() }, true},
		{func() { m.Configure(on) }, true},
		{func() { m.Configure(off) }, false},
	} {
		if step.do(); m.On() != step.want {
			t.Errorf("step %d: %v", i, m.On())
		}
	}
	if !m.Toggle() || m.Toggle() {
		t.Error("Toggle returns the wrong state")
	}
}

func TestMaintenanceSwitchFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "switch")
		m, log := maintenanceOf(func(c *Config) { c.MaintenanceModeSwitch = path })
		is := func(want bool) {
			t.Helper()
			if m.On() != want {
				t.Errorf("on: %v", !want)
			}
		}
		is(false)
		write(t, path, "")
		is(false) // it was looked for a moment ago
		time.Sleep(maintenanceLook)
		is(true)
		if m.Toggle(); !m.On() {
			t.Error("the file does not keep it on")
		}
		m.Toggle()
		os.Remove(path)
		is(true)
		time.Sleep(maintenanceLook)
		is(false)
		write(t, path, "")
		time.Sleep(maintenanceLook)
		is(true)
		m.Configure(Default())
		is(false)
		if n := len(log.entries(t, "maintenance mode follows its switch file")); n != 3 {
			t.Errorf("%d lines:\n%s", n, log)
		}
	})
}

func TestMaintenancePage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "page.html")
		write(t, path, "back soon")
		m, log := maintenanceOf(func(c *Config) { c.MaintenanceMode, c.MaintenanceModeFile = true, path })
		shows := func(want string) {
			t.Helper()
			if got := sent(m.answer, http.NotFoundHandler(), asking("GET", "/")).Body.String(); !strings.Contains(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
			time.Sleep(maintenanceLook)
		}
		shows("back soon")
		write(t, path, "back at noon")
		shows("back at noon")
		os.Remove(path)
		shows("The server is in maintenance mode.")
		shows("The server is in maintenance mode.")
		write(t, path, "back at noon")
		shows("back at noon")
		if err := os.Truncate(path, maintenanceMost+1); err != nil {
			t.Fatal(err)
		}
		shows("The server is in maintenance mode.")
		if err := os.Truncate(path, 0); err != nil {
			t.Fatal(err)
		}
		shows("")
		if n := strings.Count(log.String(), "cannot be read"); n != 2 {
			t.Errorf("%d lines:\n%s", n, log)
		}
	})
}

func TestMaintenancePageIsMissing(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/does/not/exist", t.TempDir(), "/dev/null"} {
		m, log := maintenanceOf(func(c *Config) { c.MaintenanceMode, c.MaintenanceModeFile = true, path })
		for range 3 {
			if w := sent(m.answer, http.NotFoundHandler(), asking("GET", "/")); w.Code != 503 || !strings.Contains(w.Body.String(), "<h1>The server") {
				t.Errorf("%s: %d %s", path, w.Code, w.Body)
			}
		}
		if n := strings.Count(log.String(), "cannot be read"); n != 1 {
			t.Errorf("%s: %d lines", path, n)
		}
	}
}
