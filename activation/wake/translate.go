package wake

import (
	"cmp"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/platform"
)

// Adapters lists the ways in which programs are told of their sockets.
func Adapters() []string {
	return []string{"systemd", "nginx", "einhorn", "server-starter", "argv", "inetd"}
}

// identity is what the program will be for those who check whom the sockets are for: exec keeps all of it.
type identity struct {
	pid, parent int
	pidfdID     string // the number for LISTEN_PIDFDID; empty where nobody passed one
}

// placed is a socket and the number that it gets.
type placed struct {
	activation.Held
	target int
}

// layout is how the program is executed.
type layout struct {
	argv, env []string
	sockets   []placed
	unnamed   []activation.Held // sockets that the program does not get, as its arguments do not name them
	blocking  want
}

// want is what is done with O_NONBLOCK, which belongs to the socket and not to its descriptor (open(2)).
type want int

const (
	asPassed want = iota // left as it is; a socket that was bound here blocks, as it does when systemd passes it
	mustBlock
	mustNotBlock
)

// translate makes this process the program, which it tells of the sockets in the adapter's way. It returns only with an
// error: a Refused or a NotStarted.
func (c Config) translate(way decision) error {
	who := identity{os.Getpid(), os.Getppid(), ""}
	if wasPassed("LISTEN_PIDFDID") {
		if id, ok := platform.PidfdID(); ok {
			who.pidfdID = strconv.FormatUint(id, 10)
		}
	}
	l, err := c.layout(way.adapter, who)
	if err != nil {
		return err
	}
	c.tell(way)
	for _, h := range l.unnamed {
		c.Log.Warn(fmt.Sprintf("%s is named by no {fd}: its clients wait for nobody", h))
	}
	failed := make(chan error)
	go func() { // on a thread of its own, which ends with it: what it did to itself is gone then
		runtime.LockOSThread()
		failed <- c.become(l, ownTable)
	}()
	return <-failed
}

// layout says how the program is executed. It changes nothing. Its errors are Refused.
func (c Config) layout(adapter string, who identity) (layout, error) {
	l := layout{argv: c.Command, env: withoutDescriptors(c.Env)}
	for i, h := range c.Sockets {
		l.sockets = append(l.sockets, placed{h, 3 + i})
	}
	var err error
	switch adapter {
	case "systemd":
		err = l.systemd(who)
	case "nginx":
		l.nginx(fileName(c.Path))
	case "einhorn":
		l.einhorn(who)
	case "server-starter":
		err = l.serverStarter()
	case "argv":
		err = l.arguments()
	case "inetd":
		err = l.inetd()
	default:
		err = refused("--as=%s: there are %s", adapter, strings.Join(Adapters(), ", "))
	}
	return l, err
}

// withoutDescriptors leaves out the variables that tell of descriptors: those that they mean are moved or closed.
func withoutDescriptors(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(entry string) bool {
		name, value, _ := strings.Cut(entry, "=")
		switch name {
		case "LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_FDS_FIRST_FD", "SERVER_STARTER_PORT", "SERVER_STARTER_GENERATION":
			return true
		case "NGINX", "ANGIE": // a script may use the name for something else
			return value != "" && strings.Trim(value, "0123456789;:") == ""
		}
		return strings.HasPrefix(name, "EINHORN_FD_") || name == "EINHORN_SOCK_FD" || name == "EINHORN_MASTER_PID"
	})
}

func (l *layout) set(name, value string) { l.env = append(l.env, name+"="+value) }

// systemd: sd_listen_fds(3).
func (l *layout) systemd(who identity) error {
	names := make([]string, len(l.sockets))
	for i, s := range l.sockets {
		names[i] = cmp.Or(s.Name, "unknown")
		if strings.ContainsFunc(s.Name, func(r rune) bool { return r == ':' || r < ' ' || r > '~' }) || len(s.Name) > 255 {
			return refused("%s: systemd's protocol has no way to write the name %q: name the socket anew, --listen NAME=%s", s, s.Name, s.Source)
		}
	}
	l.set("LISTEN_PID", strconv.Itoa(who.pid))
	if who.pidfdID != "" {
		l.set("LISTEN_PIDFDID", who.pidfdID)
	}
	l.set("LISTEN_FDS", strconv.Itoa(len(l.sockets)))
	l.set("LISTEN_FDNAMES", strings.Join(names, ":"))
	return nil
}

// nginx: the variable by which it hands its sockets to its successor (nginx.org, "Upgrading Executable on the Fly"). Each
// number ends with a semicolon, also the last one. It takes them for non-blocking.
func (l *layout) nginx(program string) {
	name := "NGINX"
	if program == "angie" {
		name = "ANGIE"
	}
	var numbers strings.Builder
	for _, s := range l.sockets {
		fmt.Fprintf(&numbers, "%d;", s.target)
	}
	l.set(name, numbers.String())
	l.blocking = mustNotBlock
}

// einhorn: its README. Workers believe the variables only when their parent is the one that EINHORN_MASTER_PID names.
func (l *layout) einhorn(who identity) {
	l.set("EINHORN_MASTER_PID", strconv.Itoa(who.parent))
	l.set("EINHORN_FD_COUNT", strconv.Itoa(len(l.sockets)))
	families := map[platform.Family]string{platform.IPv4: "AF_INET", platform.IPv6: "AF_INET6", platform.Unix: "AF_UNIX"}
	for i, s := range l.sockets {
		l.set(fmt.Sprintf("EINHORN_FD_%d", i), strconv.Itoa(s.target))
		l.set(fmt.Sprintf("EINHORN_FD_FAMILY_%d", i), families[s.Info.Family])
	}
}

// serverStarter: Server::Starter of Perl, start_server(1).
func (l *layout) serverStarter() error {
	var entries []string
	for _, s := range l.sockets {
		address := s.Info.Local
		if strings.ContainsAny(address, ";=") {
			return refused("%s: a path with ; or = cannot be told in SERVER_STARTER_PORT: choose another path", s)
		}
		if s.Kind == activation.Packet {
			address = "u" + strings.TrimPrefix(address, "0.0.0.0:") // start_server --port=u443
		}
		entries = append(entries, fmt.Sprintf("%s=%d", address, s.target))
	}
	l.set("SERVER_STARTER_PORT", strings.Join(entries, ";"))
	l.set("SERVER_STARTER_GENERATION", "1")
	return nil
}

// inetd: the socket is standard input and output, as for "wait" of inetd.conf(5).
func (l *layout) inetd() error {
	if len(l.sockets) != 1 {
		return refused("inetd's way is for one socket, and there are %d: %s; take one of them with --listen", len(l.sockets), l.sources())
	}
	one := l.sockets[0].Held
	l.sockets = []placed{{one, 0}, {one, 1}}
	l.blocking = mustBlock
	return nil
}

func (l *layout) sources() string {
	var words []string
	for _, s := range l.sockets {
		words = append(words, s.Source)
	}
	return strings.Join(words, ", ")
}
