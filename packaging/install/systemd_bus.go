package install

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	systemdbus "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
)

// systemd is asked over D-Bus (org.freedesktop.systemd1(5)), where possible on the socket that systemctl uses too: it is there
// without a bus.
type systemd struct {
	user    bool
	folder  string // where systemd, or the user's one, has its sockets
	private string // that socket
}

// jobsTake limits everything that is asked: a service may drain its connections for as long as its TimeoutStopSec= says.
const jobsTake = 2 * time.Minute

// newSystemd returns the machine's systemd, or the user's own.
func newSystemd(user bool) Manager {
	folder := "/run/systemd"
	if user {
		folder = filepath.Join(userRuntime(), "systemd")
	}
	return systemd{user, folder, filepath.Join(folder, "private")}
}

// userRuntime is the folder of the user's sockets. su and cron do not set it; pam_systemd(8) does so to this value.
func userRuntime() string {
	if folder := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(folder) {
		return folder
	}
	return "/run/user/" + strconv.Itoa(os.Getuid())
}

// Ready implements [Manager].
func (s systemd) Ready(ctx context.Context) error {
	return s.with(ctx, func(ctx context.Context, c *systemdbus.Conn) error {
		_, err := c.SystemStateContext(ctx)
		return err
	})
}

// with connects to systemd for a while. Its errors are of one line, and a [Problem] where the user can mend it.
func (s systemd) with(ctx context.Context, do func(context.Context, *systemdbus.Conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, jobsTake)
	defer cancel()
	c, err := s.connect(ctx)
	if err == nil {
		defer c.Close()
		err = do(ctx, c)
	}
	if err != nil && ctx.Err() != nil { // the connection ends with it, which is no fault of systemd's
		err = context.Cause(ctx)
	}
	return s.explain(err)
}

func (s systemd) connect(ctx context.Context) (*systemdbus.Conn, error) {
	if s.user || os.Geteuid() == 0 {
		c, err := systemdbus.NewConnection(func() (*dbus.Conn, error) { return dialPrivate(ctx, s.private) })
		switch {
		case err == nil:
			return c, nil
		case errors.Is(err, errNotOwn):
			return nil, Problem{Text: fmt.Sprintf("systemd is not asked there: %v", err)}
		case s.user && errors.Is(err, fs.ErrNotExist):
			return nil, Problem{Text: fmt.Sprintf("no systemd of your own runs (%s is not there): log in as this user, not by su or sudo, or have root say: "+
				"loginctl enable-linger %d", s.private, os.Getuid())}
		case s.user:
			return nil, Problem{Text: fmt.Sprintf("your own systemd does not answer: %v", err)}
		}
	}
	if _, err := os.Stat(filepath.Join(s.folder, "system")); err != nil { // sd_booted(3)
		return nil, Problem{Text: "systemd does not run on this machine (/run/systemd/system is not there): have its own service manager start rouse, or a script"}
	}
	c, err := systemdbus.NewSystemConnectionContext(ctx)
	if err != nil {
		return nil, Problem{Text: fmt.Sprintf("systemd cannot be asked over D-Bus: be root, or see to the package dbus: %v", err)}
	}
	return c, nil
}

// dialPrivate connects to systemd itself. There is no bus, and so no Hello.
func dialPrivate(ctx context.Context, path string) (*dbus.Conn, error) {
	if err := cmp.Or(checkOwn(filepath.Dir(path)), checkOwn(path)); err != nil {
		return nil, err
	}
	c, err := dbus.Dial("unix:path="+dbus.EscapeBusAddressValue(path), dbus.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	if err := c.Auth([]dbus.Auth{dbus.AuthExternal(strconv.Itoa(os.Getuid()))}); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// errNotOwn says that something is somebody else's, who may have put it there.
var errNotOwn = errors.New("it belongs to somebody else than you")

// checkOwn tells whether something is not this user's own, or a link.
func checkOwn(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(stat.Uid) != os.Geteuid() || info.Mode().Type() == fs.ModeSymlink {
		return fmt.Errorf("%s: %w", path, errNotOwn)
	}
	return nil
}

// explain says what an answer means.
func (s systemd) explain(err error) error {
	answer, ok := errors.AsType[dbus.Error](err)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("systemd did not answer in time (%s): see %s", jobsTake, s.command("list-jobs"))
	case !ok:
		return err
	case answer.Name == "org.freedesktop.DBus.Error.AccessDenied", answer.Name == "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired":
		return Problem{Refused: true, Text: "systemd does as root says: use sudo, or --user"}
	default:
		return fmt.Errorf("systemd: %s (%s)", strings.TrimSuffix(answer.Error(), "."), answer.Name)
	}
}

// isNoUnit says that an answer is about a unit that systemd does not know.
func isNoUnit(err error) bool {
	answer, _ := errors.AsType[dbus.Error](err)
	return slices.Contains([]string{"org.freedesktop.systemd1.NoSuchUnit", "org.freedesktop.DBus.Error.FileNotFound"}, answer.Name)
}

// command is what people type.
func (s systemd) command(words string) string {
	if s.user {
		return "systemctl --user " + words
	}
	return "systemctl " + words
}

// log is the command that shows what a unit said.
func (s systemd) log(unit string) string {
	if s.user {
		return "journalctl --user -e -u " + unit
	}
	return "journalctl -e -u " + unit
}
