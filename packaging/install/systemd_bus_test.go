package install

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
)

// Whoever is not there is told of in one line that says what to do.
func TestReadyWithoutSystemd(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	err := newSystemd(true).Ready(t.Context())
	if problem, ok := errors.AsType[Problem](err); !ok || !strings.Contains(problem.Text, "enable-linger") || strings.Contains(problem.Text, "\n") {
		t.Errorf("got %v", err)
	}
	folder := t.TempDir()
	err = systemd{folder: folder, private: filepath.Join(folder, "private")}.Ready(t.Context())
	if problem, ok := errors.AsType[Problem](err); !ok || !strings.Contains(problem.Text, "systemd does not run on this machine") {
		t.Errorf("got %v", err)
	}
}

// One that hangs up, or says nothing, is no systemd.
func TestReadyWithAStranger(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "private")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	err = systemd{user: true, folder: folder, private: path}.Ready(t.Context())
	if problem, ok := errors.AsType[Problem](err); !ok || !strings.Contains(problem.Text, "does not answer") {
		t.Errorf("got %v", err)
	}
	listener.Close()
}

func TestExplain(t *testing.T) {
	answer := func(name, text string) error { return fmt.Errorf("x: %w", dbus.Error{Name: name, Body: []any{text}}) }
	for _, test := range []struct {
		err     error
		want    string
		refused bool
	}{
		{answer("org.freedesktop.DBus.Error.AccessDenied", "Permission denied"), "systemd does as root says: use sudo, or --user", true},
		{answer("org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", "Interactive authentication required."), "systemd does as root says: use sudo, or --user", true},
		{answer("org.freedesktop.systemd1.UnitMasked", "Unit rouse-a.socket is masked."), "systemd: Unit rouse-a.socket is masked (org.freedesktop.systemd1.UnitMasked)", false},
		{context.DeadlineExceeded, "systemd did not answer in time (2m0s): see systemctl list-jobs", false},
		{errors.New("else"), "else", false},
	} {
		got := systemd{}.explain(test.err)
		problem, _ := errors.AsType[Problem](got)
		if got.Error() != test.want || problem.Refused != test.refused {
			t.Errorf("got %v, refused=%t; want %s", got, problem.Refused, test.want)
		}
	}
	if err := (systemd{}).explain(nil); err != nil {
		t.Error(err)
	}
}

func TestOneLine(t *testing.T) {
	a, b := errors.New("a"), Problem{Text: "b"}
	if err := oneLine(nil, nil); err != nil {
		t.Error(err)
	}
	if err := oneLine(nil, b); err != b {
		t.Errorf("got %v", err)
	}
	if err := oneLine(a, nil, b); err.Error() != "a; b" {
		t.Errorf("got %v", err)
	}
}

func TestShippedSites(t *testing.T) {
	got := shippedSites([]string{"rouse-run@shop.socket", "rouse-renew.timer", "rouse-http.socket", "rouse.socket", "rouse-dispatch.service", "rouse-inetd@git.socket"})
	want := []Units{
		{
			Service: "rouse.service", Sockets: []string{"rouse.socket", "rouse-http.socket"},
			Timers: []string{"rouse-renew.timer"}, Others: []string{"rouse-renew.service"},
		},
		{Service: "rouse-inetd@git.service", Sockets: []string{"rouse-inetd@git.socket"}},
		{Service: "rouse-run@shop.service", Sockets: []string{"rouse-run@shop.socket"}},
		{Service: "rouse-dispatch.service", Boot: true},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := shippedSites([]string{"rouse-renew.timer"}); got != nil {
		t.Errorf("a timer alone is no site: %+v", got)
	}
}

func TestUnitsLists(t *testing.T) {
	u, _ := asleepSite()
	if got := strings.Join(u.atBoot(), " "); got != "rouse-site.socket rouse-site-http.socket rouse-site-renew.timer" {
		t.Errorf("got %s", got)
	}
	if got := (Units{Sockets: []string{"a.socket"}, Boot: true}); len(got.all()) != 1 || len(got.atBoot()) != 1 {
		t.Errorf("got %q, %q", got.all(), got.atBoot())
	}
}

// Whoever else puts a socket at that place, or a folder in front of it, is not asked.
func TestReadyWithSomebodyElsesSocket(t *testing.T) {
	if os.Geteuid() != 0 {
		return // only root gives files away
	}
	for _, whose := range []string{"private", "."} {
		folder := t.TempDir()
		path := filepath.Join(folder, "private")
		listener, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		if err := os.Chown(filepath.Join(folder, whose), 65534, 65534); err != nil {
			t.Fatal(err)
		}
		for _, user := range []bool{false, true} {
			err = systemd{user: user, folder: folder, private: path}.Ready(t.Context())
			if problem, ok := errors.AsType[Problem](err); !ok || !strings.Contains(problem.Text, "belongs to somebody else") || strings.Contains(problem.Text, "\n") {
				t.Errorf("%s: got %v", whose, err)
			}
		}
	}
}
