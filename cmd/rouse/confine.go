package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"time"

	"github.com/rouse-server/rouse/platform"
)

// confinement is what serve may still do with files.
type confinement struct {
	reach reach
	on    bool // the kernel sees to it
}

// confine gives up, for good and before the first request, all that serving does not need: the files that no option names,
// rights to be gained, root's capabilities, and that others see the private key in memory.
func (s *site) confine() error {
	if !s.console.alone {
		return nil
	}
	_ = time.Local.String() // reads the file of the time zone, which is not looked at again
	s.confinement.reach = s.settings.reach(s.certificate)
	var missing error
	if s.settings.Landlock == "off" {
		missing = errors.New(s.settings.given["landlock"])
	} else {
		missing = s.confinement.reach.lock()
	}
	s.confinement.on = missing == nil
	if missing == nil {
		s.tellRights("confined by Landlock: " + s.confinement.reach.String())
	} else {
		s.tellRights("not confined by Landlock: " + missing.Error())
		s.lack(platform.NoNewPrivileges()) // which is part of it otherwise
	}
	if s.certificate.store != nil {
		s.lack(platform.HideMemory())
	}
	gave, err := platform.GiveUpCapabilities()
	s.lack(err)
	if !gave || err != nil {
		return nil
	}
	return s.withoutCapabilities()
}

// lack tells of a right that could not be given up. Serving with it is what other servers do.
func (s *site) lack(err error) {
	if err != nil {
		s.log.Warn("a right that is not needed is kept", "err", err)
	}
}

// tellRights tells what was given up. Who develops a site has no use for that, nor for a line with each connection.
func (s *site) tellRights(text string) {
	level := slog.LevelInfo
	if s.opened.bare || s.forOneConnection() {
		level = slog.LevelDebug
	}
	s.log.Log(context.Background(), level, text)
}

// withoutCapabilities tells what cannot be read or written any more, now that root's rights on others' files are given up.
func (s *site) withoutCapabilities() error {
	s.tellRights("root's capabilities are given up: of files that others own Rouse reads only what their group or everybody may")
	for _, n := range s.settings.named() {
		err := n.open()
		switch {
		case !errors.Is(err, fs.ErrPermission):
		case n.kind == "folder":
			return config("%s %s: only its owner may read it (%w), and Rouse has given up root's capabilities: chmod it to let others read, or start Rouse as its owner", n.as, n.path, withoutPath(err))
		default:
			notice(s.log, fmt.Sprintf("%s %s: only its owner may read it, and Rouse has given up root's capabilities: what changes there is not seen; give it to root", n.as, n.path))
		}
	}
	for _, path := range []string{s.settings.LogFile, s.settings.AccessLog} {
		if path != "" && errors.Is(writable(path), fs.ErrPermission) {
			notice(s.log, path+": root does not own it, and Rouse has given up root's capabilities: it cannot be opened again after a rotation; give it to root")
		}
	}
	return nil
}

// String is what the log says of it.
func (r reach) String() string {
	text := "reads below " + strings.Join(r.reads, ", ")
	if len(r.writes) > 0 {
		text += "; writes below " + strings.Join(r.writes, ", ")
	}
	if len(r.clears) > 0 {
		text += "; removes its sockets from " + strings.Join(r.clears, ", ")
	}
	return text + "; nothing else"
}

// reachable tells why new options cannot be served with before a restart. To list a folder is a right of its own, which says
// nothing of its files.
func (s *site) reachable(again *settings) error {
	for _, n := range again.named() {
		err := n.open()
		if err == nil && n.kind == "folder" && s.confinement.on {
			err = fs.ErrPermission
		}
		if errors.Is(err, fs.ErrPermission) && !s.confinement.reach.covers(n.path) {
			return s.sinceStart(config("%s %s: this cannot be opened (%w)", n.as, n.path, withoutPath(err)))
		}
	}
	return nil
}

// sinceStart adds to an error that the kernel refuses what was not named at the start.
func (s *site) sinceStart(err error) error {
	if !s.confinement.on || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return fmt.Errorf("%w; since its start Rouse opens only what its options named then (%s): restart it if this is new, or was mounted anew", err, cmp.Or(s.settings.given["landlock"], "--landlock"))
}
