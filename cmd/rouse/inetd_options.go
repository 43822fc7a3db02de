package main

import (
	"errors"
	"fmt"
	"os/user"
	"strconv"
	"strings"
	"time"

	"github.com/rouse-server/rouse/server"
)

// spawning is the options of `rouse inetd`.
type spawning struct {
	ConfigFile string           `section:"Sockets and services" flag:"config-file" short:"w" arg:"FILE" key:"-" help:"read options from this TOML file; its key command may name the program"`
	Services   string           `flag:"services" arg:"FILE" help:"start the services of this file instead, in the syntax of inetd.conf"`
	Listen     server.Addresses `flag:"listen" arg:"ADDRESS,…" help:"take or bind a socket: systemd:NAME, launchd:NAME, fd:N, tcp:HOST:PORT, udp:HOST:PORT, unix:PATH, handoff:PATH, dispatch:PATH#BACKEND; repeatable; default: what was passed"`
	Fd         server.Number    `flag:"fd" arg:"N" help:"take socket N of LISTEN_FDS, counted from 0, or descriptor N where there is no LISTEN_FDS"`
	Wait       bool             `flag:"wait" help:"one process gets the listening socket itself as its standard input, and serves all who come until it ends; for UDP always so"`

	User   string      `section:"Who the program is" flag:"user" short:"u" arg:"USER" help:"start it as this user, with that one's groups"`
	Group  string      `flag:"group" arg:"GROUP" help:"its group; default: the user's"`
	Groups server.List `flag:"groups" arg:"GROUP,…" help:"its other groups; default: the user's"`
	Dir    string      `flag:"directory" arg:"DIR" help:"where it starts; default: /"`
	Stderr stderrWord  `flag:"stderr" arg:"WHERE" help:"its standard error: log (line by line, with the client's address), client (the connection, as inetd does) or null"`

	Most       server.Number   `section:"Limits" flag:"max-instances" arg:"N" help:"so many run at once; further clients wait in the kernel's queue; 0: no limit"`
	PerClient  server.Number   `flag:"per-client" arg:"N" help:"so many of one client's address at once; further ones are closed; 0: no limit"`
	Rate       rateLimit       `flag:"rate" arg:"N/TIME" help:"start at most so many within that time, such as 100/1s; further clients wait in the kernel's queue"`
	ClientRate rateLimit       `flag:"client-rate" arg:"N/TIME" help:"so many connections of one client's address within that time; further ones are closed"`
	TimeLimit  server.Duration `flag:"time-limit" arg:"TIME" help:"end a process after so long (TERM, and KILL 5 s later); 0: never"`
	Limit      server.List     `flag:"limit" arg:"NAME=N,…" help:"limits of its resources, as ulimit has them: nofile=256, as=512M, cpu=10, nproc=8:16 (soft:hard), core, data, fsize, memlock, stack (Linux)"`
	Grace      server.Duration `flag:"grace-period" arg:"TIME" help:"how long at the end those that run may go on"`

	LogLevel  server.LogLevel  `section:"Logging" flag:"log-level" short:"g" arg:"LEVEL" help:"error, warn, info (each client that was served), debug (each start) or trace"`
	LogFormat server.LogFormat `flag:"log-format" arg:"FORMAT" help:"auto, human, json or logfmt"`

	Check bool `section:"Without starting anything" ignored:"true" key:"-" flag:"check" help:"read options and services, and tell what is wrong with them"`
}

// stderrWord is --stderr.
type stderrWord string

func (w *stderrWord) Set(text string) error { return oneWord((*string)(w), text, w.Words()) }
func (w stderrWord) String() string         { return string(w) }
func (stderrWord) Words() []string          { return []string{"log", "client", "null"} }

// rateLimit is so many starts within a time. The zero value is no limit.
type rateLimit struct {
	n      int
	within time.Duration
}

func (r *rateLimit) Set(text string) error {
	count, span, ok := strings.Cut(text, "/")
	n, err := strconv.Atoi(count)
	if !ok || err != nil || n < 1 {
		return errors.New("not a rate such as 100/1s or 60/1m")
	}
	var within server.Duration
	if err := within.Set(span); err != nil || within <= 0 {
		return errors.New("not a rate such as 100/1s or 60/1m")
	}
	*r = rateLimit{n, time.Duration(within)}
	return nil
}

func (r rateLimit) String() string {
	if r.n == 0 {
		return ""
	}
	return fmt.Sprintf("%d/%v", r.n, r.within)
}

func defaultSpawning() *spawning {
	return &spawning{Stderr: "log", Grace: server.Duration(10 * time.Second), LogLevel: "info", LogFormat: "auto"}
}

// inetdOptions returns the options of `rouse inetd`, and the machinery that reads them.
func inetdOptions() (*spawning, *subcommand) {
	i := defaultSpawning()
	return i, newSubcommand("inetd", i, true)
}

// check refuses options that exclude each other.
func (i *spawning) check(s *subcommand, command []string) error {
	if i.Services == "" {
		if len(command) == 0 || command[0] == "" {
			return usage("rouse inetd needs a program: rouse inetd [OPTIONS] -- CMD [ARG…], or a file of services: --services FILE")
		}
		if s.given["listen"] != "" && s.given["fd"] != "" {
			return s.conflict([]string{"listen", "fd"}, "%s and %s exclude each other, leave one out: both say which sockets to take", s.given["listen"], s.given["fd"])
		}
		return nil
	}
	if len(command) > 0 {
		return s.conflict([]string{"services"}, "%s names the programs: leave %s out", s.given["services"], command[0])
	}
	for _, name := range []string{"listen", "fd", "wait", "user", "group", "groups"} {
		if as := s.given[name]; as != "" {
			return s.conflict([]string{"services", name}, "%s and %s exclude each other, leave one out: the file says it for each service", as, s.given["services"])
		}
	}
	return nil
}

// identity looks up who a program is to be started as: nil for what stays as it is.
func (i *spawning) identity(s *subcommand) (uid, gid *uint32, groups []uint32, err error) {
	if i.User != "" {
		u, err := lookUpUser(i.User)
		if err != nil {
			return nil, nil, nil, s.conflict([]string{"user"}, "%s %s: %w", s.given["user"], i.User, err)
		}
		uid, gid = numberOf(u.Uid), numberOf(u.Gid)
		groups = []uint32{*gid}
		if ids, err := u.GroupIds(); err == nil {
			groups = groups[:0]
			for _, id := range ids {
				if n := numberOf(id); n != nil {
					groups = append(groups, *n)
				}
			}
		}
	}
	if i.Group != "" {
		if gid, err = lookUpGroup(i.Group); err != nil {
			return nil, nil, nil, s.conflict([]string{"group"}, "%s %s: %w", s.given["group"], i.Group, err)
		}
	}
	if len(i.Groups) > 0 {
		groups = nil
	}
	for _, name := range i.Groups {
		one, err := lookUpGroup(name)
		if err != nil {
			return nil, nil, nil, s.conflict([]string{"groups"}, "%s %s: %w", s.given["groups"], name, err)
		}
		groups = append(groups, *one)
	}
	return uid, gid, groups, nil
}

// lookUpUser finds a user by name or number. A number need not have a name.
func lookUpUser(name string) (*user.User, error) {
	if n, err := strconv.ParseUint(name, 10, 32); err == nil {
		u, err := user.LookupId(name)
		if err != nil {
			id := strconv.FormatUint(n, 10)
			u = &user.User{Uid: id, Gid: id, Username: id, HomeDir: "/"}
		}
		return u, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("there is no user of that name: create it, or give a number")
	}
	return u, nil
}

func lookUpGroup(name string) (*uint32, error) {
	if n := numberOf(name); n != nil {
		return n, nil
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return nil, fmt.Errorf("there is no group of that name: create it, or give a number")
	}
	return numberOf(g.Gid), nil
}

func numberOf(text string) *uint32 {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return nil
	}
	id := uint32(n)
	return &id
}
