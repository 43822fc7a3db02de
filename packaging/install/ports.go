package install

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
)

// checkPorts tells which addresses others have. old is the site as it is installed, whose sockets are in nobody's way.
func checkPorts(ctx context.Context, site Site, old *Record, sys System) (problems []error) {
	holders, err := sys.Manager.Holders(ctx)
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		problems = append(problems, err)
	}
	p := ports{sys: sys, holders: holders, old: old, others: others(sys, site.Name), both: site.Command != "run"}
	if old != nil && len(site.Sockets) > 0 {
		if p.now, err = sys.Manager.State(ctx, old.Units); err != nil {
			problems = append(problems, err)
		}
	}
	for _, socket := range site.Sockets {
		for _, text := range socket.addresses() {
			a, err := readAddress(text)
			if err == nil {
				err = p.check(ctx, a)
			}
			if err != nil {
				problems = append(problems, err)
			}
		}
	}
	return problems
}

// ports knows who has which.
type ports struct {
	sys     System
	holders []Holder
	old     *Record
	now     State // of the old site
	others  []*Record
	both    bool // the socket of [::] is one of IPv4 too
}

func (p ports) check(ctx context.Context, a address) error {
	for _, other := range p.others {
		if a.overlapsAny(other.Listen) {
			return Problem{Text: fmt.Sprintf("%s is an address of the site %s: choose another one by --listen, or rouse %s", a.text, other.Name, uninstalling(other.Name, p.sys))}
		}
	}
	if p.old != nil && a.overlapsAny(p.old.Listen) && p.holds(a) {
		return nil
	}
	taken, err := p.try(ctx, a)
	if err != nil || !taken {
		return err
	}
	for _, holder := range p.holders { // they are stream sockets
		b, err := readAddress(holder.Listen)
		if err != nil || !a.overlaps(b) {
			continue
		}
		if p.old != nil && slices.Contains(p.old.Units.all(), holder.Unit) {
			return nil
		}
		return Problem{Text: fmt.Sprintf("%s is held by %s: choose another one by --listen, or %s", a.text, holder.Unit, p.disabling(holder.Unit))}
	}
	return Problem{Text: fmt.Sprintf("%s is in use by another program (see: %s): end it, or choose another one by --listen", a.text, p.finding(a))}
}

// holds tells whether the site that is installed really has its address: its socket may be stopped. A service that runs keeps
// sockets that were stopped. The manager may spell an address otherwise than the record does.
func (p ports) holds(a address) bool {
	return p.now.Awake || slices.ContainsFunc(p.now.Listen, func(text string) bool {
		b, err := readAddress(text)
		return err == nil && a.path == b.path && a.port == b.port
	})
}

// disabling is the command that closes a unit's sockets for good.
func (p ports) disabling(unit string) string {
	switch {
	case p.sys.OS == "darwin":
		return "launchctl bootout that job"
	case p.sys.User:
		return "systemctl --user disable --now " + unit
	}
	return "systemctl disable --now " + unit
}

// finding is the command that tells who has an address.
func (p ports) finding(a address) string {
	switch {
	case a.path != "" && p.sys.OS == "darwin":
		return "lsof " + shellWord(a.path)
	case a.path != "":
		return "ss -lxp src " + shellWord(a.path)
	case p.sys.OS == "darwin" && a.datagram:
		return "lsof -nP -iUDP:" + a.port
	case p.sys.OS == "darwin":
		return "lsof -nP -sTCP:LISTEN -iTCP:" + a.port
	case a.datagram:
		return "ss -lunp 'sport = :" + a.port + "'"
	}
	return "ss -ltnp 'sport = :" + a.port + "'"
}

// try opens the address for a moment, and tells whether somebody has it.
func (p ports) try(ctx context.Context, a address) (taken bool, err error) {
	if a.path != "" {
		return p.tryPath(ctx, a)
	}
	networks := []string{"4", "6"} // one after the other: a socket of both families tells less
	if !a.any {
		networks = []string{"6"}
		switch {
		case a.host.Unmap().Is4():
			networks = []string{"4"}
		case a.host.IsUnspecified() && p.both:
			networks = []string{"6", "4"}
		}
	}
	for _, family := range networks {
		host := ""
		if !a.any && !a.host.IsUnspecified() {
			host = a.host.String()
		}
		taken, err := p.judge(a, openBriefly(ctx, a.datagram, family, net.JoinHostPort(host, a.port)))
		if taken || err != nil {
			return taken, err
		}
	}
	return false, nil
}

// judge tells what it means that an address could not be opened. Most errors are the manager's to meet: it may do more than this
// process, and FreeBind= of systemd.socket(5) takes an address that is not there yet.
func (p ports) judge(a address, err error) (taken bool, problem error) {
	if errors.Is(err, fs.ErrPermission) && p.sys.OS == "linux" && p.sys.User {
		return false, Problem{Text: fmt.Sprintf("%s: your account may not open ports below %s: choose another one by --listen, install without --user, or allow it: sudo sysctl net.ipv4.ip_unprivileged_port_start=%s", a.text, firstUnprivileged(p.sys), a.port)}
	}
	return errors.Is(err, syscall.EADDRINUSE), nil
}

// firstUnprivileged is the first port that needs no privilege (ip(7)).
func firstUnprivileged(sys System) string {
	text, err := os.ReadFile(sys.at("/proc/sys/net/ipv4/ip_unprivileged_port_start"))
	if err != nil {
		return "1024"
	}
	return strings.TrimSpace(string(text))
}

func openBriefly(ctx context.Context, datagram bool, family, at string) error {
	var config net.ListenConfig
	if datagram {
		conn, err := config.ListenPacket(ctx, "udp"+family, at)
		if err != nil {
			return err
		}
		return conn.Close()
	}
	listener, err := config.Listen(ctx, "tcp"+family, at)
	if err != nil {
		return err
	}
	return listener.Close()
}
