package inetd

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/time/rate"

	"github.com/rouse-server/rouse/activation"
)

// house is what all services of a process share.
type house struct {
	log     *slog.Logger
	null    int  // /dev/null
	masked  bool // signals were blocked when this process was started
	watcher *watcher
	freed   chan struct{} // holds something when a process has ended: what was wanting may be there again

	births sync.RWMutex // held for writing while no process is between its start and service.running
}

func openHouse(log *slog.Logger) (*house, error) {
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, refused("open /dev/null: %v", err)
	}
	w, err := newWatcher()
	if err != nil {
		unix.Close(null)
		return nil, err
	}
	return &house{log: log, null: null, masked: masked(), watcher: w, freed: make(chan struct{}, 1)}, nil
}

func (h *house) close() {
	h.watcher.close()
	unix.Close(h.null)
}

// service is a Service that is ready to start processes.
type service struct {
	Service
	sockets  []activation.Held
	path     string
	env      []string // before what tells about the client
	identity *syscall.Credential
	house    *house
	log      *slog.Logger
	reports  *reports

	places  chan struct{} // one of them is taken by each process; nil: as many as there are
	starts  *rate.Limiter // nil: as fast as can be
	clients *clients

	mu       sync.Mutex
	running  map[*child]bool
	children sync.WaitGroup
	errors   sync.WaitGroup // readers of standard error
	served   atomic.Uint64
	reset    atomic.Uint64
}

// name is the service's name in messages.
func (s Service) name() string {
	if s.Name == "" && len(s.Command) > 0 {
		return filepath.Base(s.Command[0])
	}
	return s.Name
}

// file is what is executed.
func (s Service) file() string { return cmp.Or(s.Path, s.Command[0]) }

// Check tells what no socket could make right about a service. The error is a Refused.
func (s Service) Check() error {
	switch {
	case len(s.Command) == 0 || s.Command[0] == "" && s.Path == "":
		return refused("no program is named")
	case slices.ContainsFunc(append(append(s.Command, s.Env...), s.Dir, s.Path), hasNUL):
		return refused("%s: a NUL byte stands in the command, the folder or the environment", s.name())
	case s.Wait && s.countsClients():
		return refused("%s: in wait mode the program accepts the clients itself: a limit for each of them cannot be held", s.name())
	case s.Most < 0 || s.PerClient < 0 || s.Time < 0 || !s.Rate.valid() || !s.ClientRate.valid():
		return refused("%s: a limit is less than nothing", s.name())
	case s.Stderr != "" && s.Stderr != Log && s.Stderr != Client && s.Stderr != Null:
		return refused("%s: standard error goes to log, client or null, not to %s", s.name(), s.Stderr)
	}
	if err := checkLimits(s.Limits); err != nil {
		return refused("%s: %v", s.name(), err)
	}
	if err := s.checkFile(); err != nil {
		return refused("%s: %v", s.name(), err)
	}
	if err := s.checkFolder(); err != nil {
		return refused("%s: %v", s.name(), err)
	}
	if id := s.credential(); id != nil && unix.Geteuid() != 0 {
		return refused("%s: only root starts programs as another user or group: leave user and group out", s.name())
	}
	return nil
}

// checkFile tells why the program cannot be executed.
func (s Service) checkFile() error {
	info, err := os.Stat(s.file())
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%s is not there: install it, or mend its path", s.file())
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%s is a folder, no program", s.file())
	case info.Mode()&0o111 == 0:
		return fmt.Errorf("%s cannot be executed: chmod +x", s.file())
	}
	return nil
}

// checkFolder tells why the program cannot start in its folder: each client would see an error that seems to be the program's.
func (s Service) checkFolder() error {
	if s.Dir == "" {
		return nil
	}
	info, err := os.Stat(s.Dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("the folder %s to start in is not there: create it, or name another", s.Dir)
	case err == nil && !info.IsDir():
		return fmt.Errorf("%s is no folder to start in: name another", s.Dir)
	}
	return nil // what root may not look into, the program's user may
}

// countsClients tells whether there is a limit for each client.
func (s Service) countsClients() bool { return s.PerClient > 0 || s.ClientRate.Number > 0 }

// hasClients tells whether clients can be told apart at a socket.
func hasClients(h activation.Held) bool { return h.Kind != activation.Packet }

func hasNUL(text string) bool { return strings.ContainsRune(text, 0) }

func (r Rate) valid() bool { return r.Number >= 0 && (r.Number == 0 || r.Within > 0) }

// check tells whether the service can have a socket.
func (s Service) check(h activation.Held) error {
	switch {
	case s.Wait && h.Kind == activation.Channel:
		return refused("%s: %s passes connections, and in wait mode a program gets a listener: leave wait out", s.name(), h)
	case s.Wait && h.Proxy != "":
		return refused("%s: %s: ?proxy= is read before a process starts, and in wait mode the program accepts itself: leave one out", s.name(), h)
	case h.Kind != activation.Listener && h.Kind != activation.Packet && h.Kind != activation.Channel:
		return refused("%s: %s is a %s: name listening sockets", s.name(), h, h.Kind)
	}
	return nil
}

// prepare refuses what cannot work, of all services.
func (h *house) prepare(services []Bound) ([]*service, error) {
	var problems []error
	for _, b := range services {
		problems = append(problems, b.Service.Check())
		if len(b.Sockets) == 0 {
			problems = append(problems, refused("%s: there is no socket for it", b.Service.name()))
		}
		for _, socket := range b.Sockets {
			problems = append(problems, b.Service.check(socket))
		}
		if len(b.Sockets) > 0 && !slices.ContainsFunc(b.Sockets, hasClients) && b.Service.countsClients() {
			problems = append(problems, refused("%s: a UDP socket is given to one process as a whole: a limit for each client cannot be held", b.Service.name()))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, Refused{err.Error()}
	}
	var all []*service
	for _, b := range services {
		all = append(all, h.newService(b))
	}
	return all, nil
}

func (h *house) newService(b Bound) *service {
	s := &service{
		Service:  b.Service,
		sockets:  b.Sockets,
		path:     b.Service.file(),
		identity: b.Service.credential(),
		house:    h,
		log:      h.log.With("service", b.Service.name()),
		clients:  newClients(b.Service.PerClient, b.Service.ClientRate),
		running:  map[*child]bool{},
	}
	if path, err := filepath.Abs(s.path); err == nil { // the processes start in another folder
		s.path = path
	}
	s.reports = newReports(s.log)
	s.Dir, s.Stderr = cmp.Or(s.Dir, "/"), cmp.Or(s.Stderr, Log)
	s.env = s.baseEnvironment()
	if s.Most > 0 {
		s.places = make(chan struct{}, s.Most)
	}
	if s.Rate.Number > 0 {
		s.starts = rate.NewLimiter(rate.Every(s.Rate.Within/time.Duration(s.Rate.Number)), s.Rate.Number)
	}
	return s
}

// credential is who the processes are, or nil where that is who this process is.
func (s Service) credential() *syscall.Credential {
	if s.User == nil && s.Group == nil {
		return nil
	}
	c := &syscall.Credential{Uid: uint32(unix.Geteuid()), Gid: uint32(unix.Getegid()), Groups: s.Groups}
	if s.User != nil {
		c.Uid = *s.User
	}
	if s.Group != nil {
		c.Gid = *s.Group
	}
	if unix.Geteuid() != 0 && c.Uid == uint32(unix.Geteuid()) && c.Gid == uint32(unix.Getegid()) {
		return nil
	}
	return c
}

// baseEnvironment is what each process gets: nothing that was meant for this process, or tells about a client that is none of
// theirs.
func (s *service) baseEnvironment() []string {
	given := s.Service.Env
	if given == nil {
		given = os.Environ()
	}
	env := slices.DeleteFunc(slices.Clone(given), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.Contains(ours(), name) || slices.Contains(theirs(), name)
	})
	if s.User == nil {
		return env
	}
	home, name := "/", strconv.FormatUint(uint64(*s.User), 10)
	if u, err := user.LookupId(name); err == nil {
		home, name = u.HomeDir, u.Username
	}
	env = slices.DeleteFunc(env, func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return name == "HOME" || name == "USER" || name == "LOGNAME"
	})
	return append(env, "HOME="+home, "USER="+name, "LOGNAME="+name)
}
