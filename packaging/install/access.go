package install

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// inHome tells whether ProtectHome= of systemd.exec(5) is about the path. A service that reads there sees homes, with the rights of
// its user.
func inHome(path string) bool {
	return within(path, "/home") || within(path, "/root") || within(path, "/run/user")
}

// inTemporary tells whether PrivateTmp= would hide the path.
func inTemporary(path string) bool { return within(path, "/tmp") || within(path, "/var/tmp") }

// checkReads tells what the service could not read, and how that is mended.
func checkReads(site Site, plan Plan, sys System) (problems []error) {
	var who account
	if !sys.User {
		var err error
		if who, err = serviceAccount(site, sys); err != nil {
			return []error{err}
		}
	}
	r := reading{sys, who}
	for _, access := range site.Reads {
		if slices.ContainsFunc(plan.Files, func(f File) bool { return f.Path == access.Path }) {
			continue // it will be there
		}
		problems = append(problems, r.check(access))
	}
	problems = append(problems, r.checkRouse(site.Program))
	for _, program := range programs(site)[1:] {
		problems = append(problems, r.checkProgram(program))
	}
	for _, credential := range site.Credentials {
		if !slices.ContainsFunc(plan.Files, func(f File) bool { return f.Path == credential.Path }) {
			problems = append(problems, r.checkCredential(credential))
		}
	}
	return slices.DeleteFunc(problems, func(err error) bool { return err == nil })
}

// reading looks with the eyes of a service.
type reading struct {
	sys System
	who account // not under a user's manager
}

// sandboxed tells whether systemd shows the service a file system of its own.
func (r reading) sandboxed() bool { return r.sys.OS == "linux" && !r.sys.User }

// check tells what is wrong with one path.
func (r reading) check(access Access) error {
	real, err := r.resolve(access)
	if err != nil {
		return err
	}
	if err := r.checkSandbox(access, real); err != nil {
		return err
	}
	return r.checkRights(access, real)
}

// resolve follows links; the path has to exist.
func (r reading) resolve(access Access) (string, error) {
	real, err := filepath.EvalSymlinks(r.sys.at(access.Path))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", Problem{Text: fmt.Sprintf("%s %s: there is no such file or folder: make it first", access.Option, access.Path)}
	case errors.Is(err, fs.ErrPermission) && r.sys.User:
		return "", Problem{Text: fmt.Sprintf("%s %s: you may not read it (%v): see the modes of its folders", access.Option, access.Path, plain(err))}
	case errors.Is(err, fs.ErrPermission):
		return "", Problem{Refused: true, Text: fmt.Sprintf("%s %s: only root can tell whether %s may read it", access.Option, access.Path, r.who.words)}
	case err != nil:
		return "", Problem{Text: fmt.Sprintf("%s %s: %v", access.Option, access.Path, plain(err))}
	}
	return r.sys.from(real), nil
}

// checkSandbox tells of paths that mean something else, or nothing, for a service.
func (r reading) checkSandbox(access Access, real string) error {
	if !r.sandboxed() {
		return nil
	}
	if inTemporary(access.Path) || inTemporary(real) {
		return Problem{Text: fmt.Sprintf("%s %s: services have a /tmp and a /var/tmp of their own (PrivateTmp=), and both are emptied from time to time: move it, to %s for example", access.Option, access.Path, filepath.Join("/srv", filepath.Base(access.Path)))}
	}
	if inHome(real) && !inHome(access.Path) {
		return Problem{Text: fmt.Sprintf("%s %s leads to %s, and services do not see homes (ProtectHome=): name that path itself, or move it to /srv", access.Option, access.Path, real)}
	}
	return nil
}

// checkRights tells which modes keep the service out.
func (r reading) checkRights(access Access, real string) error {
	if r.sys.User || r.sys.OS == "darwin" && r.sys.UID != 0 && r.who.uid == r.sys.UID {
		return r.checkOwn(access, real)
	}
	var closed, folders []string
	for _, path := range around(access.Path, real) {
		if ok, err := r.may(path, 1); err != nil {
			return Problem{Text: fmt.Sprintf("%s %s: %v", access.Option, access.Path, err)}
		} else if !ok {
			folders = append(folders, path)
		}
	}
	info, err := os.Stat(r.sys.at(real))
	if err != nil {
		return Problem{Text: fmt.Sprintf("%s %s: %v", access.Option, access.Path, plain(err))}
	}
	letters, rights := "r", fs.FileMode(4)
	if info.IsDir() {
		letters, rights = "rx", 5
	}
	if ok, err := r.may(real, rights); err != nil {
		return Problem{Text: fmt.Sprintf("%s %s: %v", access.Option, access.Path, err)}
	} else if !ok {
		closed = append(closed, real)
	}
	if mend := strings.Join(slices.DeleteFunc([]string{r.open("x", folders), r.open(letters, closed)}, func(s string) bool { return s == "" }), " && "); mend != "" {
		return Problem{Text: fmt.Sprintf("%s %s: %s may not read it: %s%s", access.Option, access.Path, r.who.words, mend, r.instead(real))}
	}
	return nil
}

// instead is what else helps with a path in a home: whoever is the service's user may go through their own.
func (r reading) instead(real string) string {
	if !r.sandboxed() || !inHome(real) {
		return ""
	}
	text := ", or move it to " + shellWord(filepath.Join("/srv", filepath.Base(real)))
	if info, err := os.Stat(r.sys.at(real)); err == nil && r.who.uid < 0 {
		if name := ownerOf(info); name != "" && name != "root" {
			text = ", or run it as its owner (--account " + name + ")" + text
		}
	}
	return text
}

// ownerOf is the name of a file's owner; empty: there is no such user.
func ownerOf(info fs.FileInfo) string {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		if owner, err := user.LookupId(strconv.Itoa(int(stat.Uid))); err == nil {
			return owner.Username
		}
	}
	return ""
}

// checkOwn asks the kernel: the service is who asks.
func (r reading) checkOwn(access Access, real string) error {
	mode := uint32(unix.R_OK)
	if info, err := os.Stat(r.sys.at(real)); err == nil && info.IsDir() {
		mode |= unix.X_OK
	}
	if err := unix.Access(r.sys.at(real), mode); err != nil {
		return Problem{Text: fmt.Sprintf("%s %s: you may not read it (%v): see its owner and mode", access.Option, access.Path, err)}
	}
	return nil
}

// around lists the folders that a path goes through, as it is written and as it really is, the outermost first.
func around(paths ...string) (all []string) {
	for _, path := range paths {
		var own []string
		for folder := filepath.Dir(path); folder != "/" && folder != "."; folder = filepath.Dir(folder) {
			own = append(own, folder)
		}
		slices.Reverse(own)
		for _, folder := range own {
			if !slices.Contains(all, folder) {
				all = append(all, folder)
			}
		}
	}
	return all
}

// may tells whether the service has these rights on a path.
func (r reading) may(path string, rights fs.FileMode) (bool, error) {
	info, err := os.Stat(r.sys.at(path))
	if err != nil {
		return false, plain(err)
	}
	uid, gid := -1, -1
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		uid, gid = int(stat.Uid), int(stat.Gid)
	}
	return r.who.may(info, uid, gid, rights), nil
}

// open is the command that gives these rights on the paths; empty for no paths.
func (r reading) open(letters string, paths []string) string {
	if len(paths) == 0 {
		return ""
	}
	var words []string
	for _, path := range paths {
		words = append(words, shellWord(path))
	}
	names := strings.Join(words, " ")
	if r.who.group != "" && letters == "r" {
		return fmt.Sprintf("chgrp %s %s && chmod g+r %s", r.who.group, names, names)
	}
	return fmt.Sprintf("chmod o+%s %s", letters, names)
}
