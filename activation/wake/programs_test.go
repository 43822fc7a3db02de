package wake

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestKnownProgram(t *testing.T) {
	folder := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	busybox := file("busybox", "")
	link := filepath.Join(folder, "httpd-link")
	if err := os.Symlink(busybox, link); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		path, arguments string
		want            Program
	}{
		{file("nginx", ""), "", Program{Adapter: "nginx", StopSignal: syscall.SIGQUIT, ReloadSignal: syscall.SIGHUP, name: "nginx"}},
		{file("apache2", ""), "", Program{StopSignal: syscall.SIGWINCH, ReloadSignal: syscall.SIGUSR1, name: "apache"}},
		{file("php-fpm8.2", ""), "", Program{StopSignal: syscall.SIGQUIT, ReloadSignal: syscall.SIGUSR2, name: "php-fpm"}},
		{file("haproxy", ""), "-f x", Program{StopSignal: syscall.SIGUSR1, name: "haproxy"}},
		{file("haproxy", ""), "-W -f x", Program{StopSignal: syscall.SIGUSR1, ReloadSignal: syscall.SIGUSR2, name: "haproxy"}},
		{file("python3.11", ""), "-m http.server", Program{StopSignal: syscall.SIGINT, name: "python"}},
		{file("python3.11", ""), "-m gunicorn app", KnownProgram(file("gunicorn", "#!/usr/bin/python3\n"))},
		{file("app.py", "#!/usr/bin/env -S python3 -u\n"), "", Program{StopSignal: syscall.SIGINT, name: "python"}},
		{file("app", "#! /usr/bin/env A=b node\n"), "", Program{ComparesPorts: true, name: "node"}},
		{file("app.sh", "#!/bin/sh\n"), "", Program{}},
		{file("empty", "#!"), "", Program{}},
		{link, "", Program{}}, // not Apache
		{"/nowhere/lighttpd", "", Program{StopSignal: syscall.SIGINT, ReloadSignal: syscall.SIGUSR1, name: "lighttpd"}},
		{"", "", Program{}},
	}
	for _, test := range tests {
		if got := KnownProgram(test.path, strings.Fields(test.arguments)...); got != test.want {
			t.Errorf("%s %s: %+v, want %+v", test.path, test.arguments, got, test.want)
		}
	}
	if g := KnownProgram(filepath.Join(folder, "gunicorn")); g.Adapter != "systemd" || !g.asks || g.StopSignal != syscall.SIGTERM {
		t.Errorf("gunicorn: %+v", g)
	}
}
