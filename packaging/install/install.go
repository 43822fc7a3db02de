// Package install puts servers under the service manager, systemd or launchd, so that they start when somebody knocks and
// survive reboots; it tells of them, and takes them away again without a trace.
package install

import (
	"context"
	"errors"
	"time"
)

// Site is one server that is to be installed.
type Site struct {
	Name    string // its units are rouse-NAME.socket, rouse-NAME.service …; its launchd job is io.github.rouse-server.rouse.NAME
	Command string // serve, run, dispatch or inetd
	Program string // absolute path of rouse
	// Words stand behind the command: the options that cannot be variables, and for run and inetd "--" and the program with its
	// arguments, the program as an absolute path.
	Words     []string
	Variables []Variable // options, written to the site's file of variables, where people change them later
	Sockets   []Socket   // for serve the first one is the https socket, where there is one
	Boot      bool       // it starts at boot, as somebody else than the manager gives it sockets: a dispatcher, its own rules
	Logs      bool       // it writes log files, into the folder of its own below /var/log
	Egress    bool       // the service has the machine's network; otherwise none of its own
	// HostNames are those of the URLs and of the certificate.
	HostNames []string
	// Certificate is a new self-signed pair, which the service gets and a timer renews. Nil: there is none, or it is elsewhere.
	Certificate *Certificate
	Credentials []Credential // files of secrets that only root has to be able to read (LoadCredential= of systemd.exec(5))
	Reads       []Access     // what the service has to be able to read
	Account     string       // the user that it runs as; empty: one that exists only meanwhile (DynamicUser=), or _www on macOS
}

// Variable is an option as the program's environment gives it.
type Variable struct{ Name, Value string }

// Socket is a socket that the manager opens.
type Socket struct {
	Name        string   // the role for serve (https, http), else any: FileDescriptorName=, the key under Sockets
	Listen      []string // "127.0.0.1:8443", "[::]:443", "443" (all addresses, both families), "/run/x.sock"
	Datagram    bool     // UDP
	Mode        string   // of a unix socket, octal; empty: 0666
	ClientFirst bool     // the client speaks first, so nobody needs to be woken before (DeferAcceptSec=)
	URL         string   // for people; empty where there is none
}

// Certificate is a pair in PEM.
type Certificate struct{ Chain, Key []byte }

// Credential is a file that systemd hands over, under a name.
type Credential struct{ ID, Path string }

// Access is a file or folder that the service reads, and the option that named it.
type Access struct{ Option, Path string }

// System is where things are installed. [Here] returns this machine; tests have others.
type System struct {
	OS   string // linux or darwin
	User bool   // under the user's own manager: no root is needed, and it ends with the user's session unless lingering is on
	UID  int
	Home string
	// Root stands in front of every path that is written or looked at, for tests; empty: the machine's own.
	Root    string
	Getenv  func(string) string
	Manager Manager
	// Verify has systemd look at the units, which lie in a folder; nil: it is not there. It returns what is wrong with them.
	Verify func(ctx context.Context, paths []string) error
	// UnitPath asks the manager where it looks for units; nil: it has one place for them.
	UnitPath func(ctx context.Context) ([]string, error)
}

// Manager is systemd or launchd.
type Manager interface {
	// Ready tells why nothing can be asked of it: no such manager, no bus, not allowed.
	Ready(ctx context.Context) error
	// Open takes units whose files are in place, has them come back at every boot, and opens their sockets. changed names the
	// units whose files are others than before: their sockets are opened anew, everything else stays open.
	Open(ctx context.Context, u Units, changed []string) error
	// Close ends what Open began, and does not mind what is not there. The files still lie there.
	Close(ctx context.Context, u Units) error
	// Forget is called when the files are gone.
	Forget(ctx context.Context, u Units) error
	// Standing tells how each unit stands, by its name.
	Standing(ctx context.Context, u Units) (map[string]Standing, error)
	// Restore has units stand as they did before, also those that were stopped or disabled. Their files are those of that time
	// again; changed names the units that the manager may have seen with others, or that read other files since.
	Restore(ctx context.Context, u Units, before map[string]Standing, changed []string) error
	// State tells of one site.
	State(ctx context.Context, u Units) (State, error)
	// Holders lists the sockets that the manager holds for others, to tell who has a port.
	Holders(ctx context.Context) ([]Holder, error)
	// Restart has a running service read its certificate again; one that sleeps stays asleep.
	Restart(ctx context.Context, u Units) error
	// Shipped lists the units of packages, where their sockets are enabled or open, as sites that were not installed here.
	Shipped(ctx context.Context) ([]Units, error)
}

// Units are the units of a site, by name, or the path of its property list.
type Units struct {
	Sockets []string `json:"sockets,omitempty"`
	Service string   `json:"service"`
	Timers  []string `json:"timers,omitempty"`
	Others  []string `json:"others,omitempty"` // started by those
	Boot    bool     `json:"boot,omitempty"`   // the service itself starts at boot: it binds sockets of its own
}

// Standing is how a unit stands: whether it comes back at every boot, and whether it is open or runs.
type Standing struct{ Enabled, Active bool }

// State is what the manager knows of a site.
type State struct {
	Sockets string    // open, closed, failed, half open (some of them)
	Awake   bool      // the service runs
	Failing bool      // it is started and ends with an error, again and again
	Status  string    // what the service itself says of its state (STATUS= of sd_notify(3)); empty: nothing
	PID     int       // of the service that runs
	Knocked time.Time // when the service last became active; zero: not since boot
	Listen  []string  // addresses that are open
	Trouble string    // in one line, with what to do; empty: none
}

// Holder is a socket of the manager's.
type Holder struct{ Unit, Listen string }

// Plan is what an installation does.
type Plan struct {
	Files []File
	Units Units
	// Log and Undo are commands that people type.
	Log, Undo string
	Notices   []string // what people should know, a line each
}

// File is one file of a plan.
type File struct {
	Path string
	Mode uint32 // permission bits
	Text []byte
	// Secret is not shown, and Renewed changes in the course of time: the certificate and its key.
	Secret, Renewed bool
}

// Problem is what keeps something from being installed that the user can mend. Usage says that the command line is wrong,
// Refused that this process lacks rights, InTheWay that a file is, which Apply with Force keeps as a copy and replaces.
type Problem struct {
	Text                     string
	Usage, Refused, InTheWay bool
}

func (p Problem) Error() string { return p.Text }

// ErrNone says that there is no site of that name.
var ErrNone = errors.New("no such site")
