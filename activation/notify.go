package activation

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"
)

// Manager is whoever started this process and wants to know how it goes: systemd's sd_notify(3) protocol. Without
// NOTIFY_SOCKET all notices go nowhere. A notice that cannot be delivered is lost: the manager notices by itself. One whose queue
// is full because it does not read is waited for, managerPatience where it counts on the notice, else noticePatience.
type Manager struct{}

// Ready says that everything is served. status is what `systemctl status` shows.
func (Manager) Ready(status string) {
	notify(managerPatience, daemon.SdNotifyReady, "STATUS="+oneLine(status))
}

// Reloading says that a reload began, with the time that systemd asks for since 253; Ready ends it.
func (Manager) Reloading() {
	state := []string{daemon.SdNotifyReloading}
	if usec := daemon.SdNotifyMonotonicUsec(); usec != "" {
		state = append(state, usec)
	}
	notify(managerPatience, state...)
}

// Stopping is final (systemd 259 holds a service to it): say it only when there is no way back.
func (Manager) Stopping(status string) {
	notify(noticePatience, daemon.SdNotifyStopping, "STATUS="+oneLine(status))
}

// Failed gives the reason of a failing start or stop.
func (Manager) Failed(reason string) { notify(noticePatience, "STATUS="+oneLine(reason)) }

// Status tells what goes on, in one line, and nothing else.
func (Manager) Status(text string) { notify(noticePatience, "STATUS="+oneLine(text)) }

// Alive is the watchdog's beat.
func (Manager) Alive() { notify(noticePatience, daemon.SdNotifyWatchdog) }

// Watchdog returns how often Alive has to be said, half of the manager's limit; 0 without a watchdog.
func (Manager) Watchdog() (time.Duration, error) {
	limit, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return 0, fmt.Errorf("WATCHDOG_USEC=%s: %w", os.Getenv("WATCHDOG_USEC"), err)
	}
	return limit / 2, nil
}

// notifyWith sends a message with a descriptor, of which the manager gets a copy (unix(7), SCM_RIGHTS).
func notifyWith(fd int, state string) error {
	c, err := dialManager(managerPatience)
	if err != nil {
		return err
	}
	defer c.Close()
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Write(func(to uintptr) (done bool) { // WriteMsgUnix refuses datagrams without an address of their own
		failed = unix.Sendmsg(int(to), []byte(state), unix.UnixRights(fd), nil, 0)
		return failed != unix.EAGAIN && failed != unix.EINTR
	})
	return errors.Join(err, failed)
}

// dialManager connects to the manager's socket, for so long.
func dialManager(patience time.Duration) (*net.UnixConn, error) {
	to := os.Getenv("NOTIFY_SOCKET")
	if !strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "@") {
		return nil, fmt.Errorf("NOTIFY_SOCKET=%s is no unix socket", to)
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Net: "unixgram", Name: to})
	if err != nil {
		return nil, err
	}
	return c, c.SetDeadline(time.Now().Add(patience))
}

const (
	managerPatience = 5 * time.Second // how long the manager is waited for
	noticePatience  = time.Second     // the same for what does no harm when it is lost
)

// barrier waits until the manager has read all that it was sent: then it closes the descriptor that comes with this
// (sd_notify_barrier(3)). Without an answer it was in vain, as without a manager.
func barrier() {
	r, w, err := os.Pipe()
	if err != nil {
		return
	}
	defer r.Close()
	err = withDescriptor(w, func(fd int) error { return notifyWith(fd, "BARRIER=1") })
	w.Close()
	if err == nil {
		r.SetReadDeadline(time.Now().Add(managerPatience))
		r.Read(make([]byte, 1))
	}
}

// withDescriptor calls use while the descriptor is certainly open.
func withDescriptor(c syscall.Conn, use func(fd int) error) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = use(int(fd)) }); err != nil {
		return err
	}
	return failed
}

// notify sends a message to the manager.
func notify(patience time.Duration, state ...string) {
	c, err := dialManager(patience)
	if err != nil {
		return
	}
	defer c.Close()
	c.Write([]byte(strings.TrimSpace(strings.Join(state, "\n"))))
}

func oneLine(s string) string { return strings.ReplaceAll(s, "\n", " ") }
