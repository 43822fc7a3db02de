package install

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// writer is what lies on the way to a file and is not root's alone, and who can write there: they can put another file in its place.
type writer struct{ path, who string }

func (w writer) String() string { return fmt.Sprintf("%s can change %s", w.who, w.path) }

// changeable finds who beside root can change what lies at a path: the file itself, or a folder on the way there, also by a
// link; nobody: an empty one. That a folder is sticky, as /tmp is, makes no difference: its owner need not be root.
func (s System) changeable(path string) (writer, error) {
	steps, err := s.way(path)
	if err != nil {
		return writer{}, err
	}
	for _, step := range steps {
		info, err := os.Lstat(s.at(step))
		if err != nil {
			return writer{}, err
		}
		if who := s.writers(info); who != "" {
			return writer{step, who}, nil
		}
	}
	return writer{}, nil
}

// mostLinks is how many links a path may lead through (path_resolution(7)).
const mostLinks = 40

// way lists what a path leads through, from / on: each folder, also of the links on the way, and the file at its end. A link
// itself cannot be changed, only what lies around it.
func (s System) way(path string) (steps []string, err error) {
	rest, at := strings.Split(path, "/"), "/"
	steps = append(steps, at)
	for links := 0; len(rest) > 0; {
		next := filepath.Join(at, rest[0])
		if rest = rest[1:]; next == at {
			continue
		}
		info, err := os.Lstat(s.at(next))
		if err != nil {
			return nil, err
		}
		if info.Mode().Type() != fs.ModeSymlink {
			steps, at = append(steps, next), next
			continue
		}
		target, err := os.Readlink(s.at(next))
		if err != nil {
			return nil, err
		}
		if links++; links > mostLinks {
			return nil, &fs.PathError{Op: "open", Path: path, Err: syscall.ELOOP}
		}
		if filepath.IsAbs(target) {
			at = "/"
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return steps, nil
}

// writers is who beside root can write to a file or folder; empty: nobody.
func (s System) writers(info fs.FileInfo) string {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "who knows who"
	}
	uid, gid := int(stat.Uid), strconv.Itoa(int(stat.Gid))
	switch mode := info.Mode().Perm(); {
	case uid != 0 && (s.Root == "" || uid != os.Getuid()): // in a Root, who made that stands for root
		if name := ownerOf(info); name != "" {
			return "the user " + name
		}
		return fmt.Sprintf("the user with the id %d", uid)
	case mode&0o002 != 0:
		return "everybody"
	case mode&0o020 != 0:
		return "the group " + groupNamed(gid)
	}
	return ""
}

// fromHomebrew tells whether Homebrew installed a program: its folders belong to whoever installed it, and it is the usual way
// to have programs on a Mac.
func (s System) fromHomebrew(program string) bool {
	return s.OS == "darwin" && (within(program, "/opt/homebrew") || within(program, "/usr/local"))
}
