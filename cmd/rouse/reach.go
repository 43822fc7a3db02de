package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// reach is what serve has to do with files once it serves: folders, each with all that lies below it, and files. Folders,
// since files are replaced by renaming others over them.
type reach struct {
	reads  []string
	writes []string // what log files are made in
	clears []string // what files of unix sockets are removed from, at the end
}

// named is a file or folder that an option names, to be read.
type named struct{ as, path, kind string }

// named lists what the options name to be read, whether it is there or not.
func (s *settings) named() (all []named) {
	add := func(as, option string) {
		if path, kind := s.fileOf(option); path != "" {
			all = append(all, named{as, path, kind})
		}
	}
	for _, option := range []string{"root", "basic-auth-file", "maintenance-mode-file", "page-fallback", "page404", "page50x"} {
		add(cmp.Or(s.given[option], option), option)
	}
	all = append(all, named{s.given["tls-cert"], s.TLSCert, "file"}, named{s.given["tls-key"], s.TLSKey, "file"})
	for i, host := range s.Advanced.VirtualHosts {
		at := fmt.Sprintf("advanced.virtual-hosts[%d].", i)
		for _, key := range []string{"root", "page-fallback", "page404", "page50x"} {
			add(s.place(at+key), at+key)
		}
		all = append(all, named{s.place(at + "tls-cert"), host.TLSCert, "file"}, named{s.place(at + "tls-key"), host.TLSKey, "file"})
	}
	return slices.DeleteFunc(all, func(n named) bool { return n.path == "" })
}

// open tries to open it.
func (n named) open() error {
	flags := os.O_RDONLY | syscall.O_NONBLOCK
	if n.kind == "folder" {
		flags |= syscall.O_DIRECTORY
	}
	file, err := os.OpenFile(n.path, flags, 0)
	if err == nil {
		file.Close()
	}
	return err
}

// reach finds out what the settings need, with the certificates that are in use.
func (s *settings) reach(c credential) (r reach) {
	for _, n := range s.named() {
		switch {
		case n.kind == "file":
			r.reads = append(r.reads, around(n.path)...)
		case s.UseRelativeRoot:
			r.reads = append(r.reads, n.path, filepath.Dir(whole(n.path)), filepath.Dir(followed(n.path))) // the link there is swapped
		default:
			r.reads = append(append(r.reads, n.path), beside(whole(n.path))...) // for a reload
		}
	}
	for _, one := range c.all() {
		if file := one.store.CertFile(); file != "" {
			r.reads = append(append(r.reads, around(file)...), around(one.store.KeyFile())...)
		}
	}
	if path := s.optionsFile(); path != "" {
		r.reads = append(r.reads, around(path)...)
	}
	r.reads = append(r.reads, credentialFolders()...)
	for _, path := range []string{s.LogFile, s.AccessLog} {
		if path != "" && path != "/dev/stdout" && path != "/dev/stderr" {
			r.writes = append(r.writes, around(path)...)
		}
	}
	for _, path := range s.ownSockets() {
		r.clears = append(r.clears, filepath.Dir(path))
	}
	r = reach{standing(r.reads), standing(r.writes), standing(r.clears)}
	if slices.ContainsFunc(s.named(), func(n named) bool { return n.kind == "folder" && followed(n.path) == "/" }) {
		r.reads = []string{"/"} // somebody wants to serve everything
	}
	return r
}

// optionsFile is the file of options, which a reload reads again, also one that is not there yet.
func (s *settings) optionsFile() string {
	if s.file != nil {
		return s.file.path
	}
	return cmp.Or(s.ConfigFile, os.Getenv("SERVER_CONFIG_FILE"))
}

// ownSockets are the files of unix sockets that Rouse binds.
func (s *settings) ownSockets() (paths []string) {
	addresses, _ := s.listed() // which were opened, so nothing is wrong with them
	for _, a := range addresses {
		if (a.Source == "unix" || a.Source == "handoff") && !strings.HasPrefix(a.Detail, "@") {
			paths = append(paths, a.Detail)
		}
	}
	if s.UnixSocket != "" {
		paths = append(paths, s.UnixSocket)
	}
	return paths
}

// credentialFolders is where systemd's credentials lie, and the folder over it: new ones come as a file system of their own,
// mounted over the old one.
func credentialFolders() []string {
	folder := os.Getenv("CREDENTIALS_DIRECTORY")
	switch over := filepath.Dir(folder); {
	case folder == "":
		return nil
	case filepath.Base(over) == "credentials":
		return []string{over}
	}
	return []string{folder}
}

// around is the folder of a file, and the folder of what a link there leads to: files are replaced in both. Where the folder
// itself is a link, to be swapped for another one, it is what lies beside the folder as well. What is not to be replaced, such
// as a device, and what lies in the root of the file system stands for itself.
func around(path string) (places []string) {
	for _, path := range []string{whole(path), followed(path)} {
		info, err := os.Stat(path)
		if folder := filepath.Dir(path); folder != "/" && (err != nil || info.Mode().IsRegular()) {
			path = folder
		}
		places = append(places, path)
	}
	return append(places, beside(filepath.Dir(whole(path)))...)
}

// beside is where the folders lie that a link may lead to next; nothing for what is no link.
func beside(path string) []string {
	if info, err := os.Lstat(path); err != nil || info.Mode().Type() != fs.ModeSymlink {
		return nil
	}
	return []string{filepath.Dir(followed(path))}
}

func whole(path string) string {
	if full, err := filepath.Abs(path); err == nil {
		return full
	}
	return path
}

// followed is the path without links, if it leads to something.
func followed(path string) string {
	if real, err := filepath.EvalSymlinks(whole(path)); err == nil {
		return real
	}
	return whole(path)
}

// standing lists what is there of the paths, without links, and without what lies below others. In the place of what is
// missing stands the folder in which it will be made. The root of the file system, which would be everything, is left out.
func standing(paths []string) (all []string) {
	for _, path := range paths {
		path = whole(path)
		for _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && path != "/"; _, err = os.Stat(path) {
			path = filepath.Dir(path)
		}
		if path = followed(path); path != "/" {
			all = append(all, path)
		}
	}
	slices.Sort(all)
	kept := all[:0]
	for _, path := range all {
		if !slices.ContainsFunc(kept, func(over string) bool { return below(path, over) }) {
			kept = append(kept, path)
		}
	}
	return kept
}

// below tells whether a path is the folder, or lies below it.
func below(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, strings.TrimSuffix(folder, "/")+"/")
}

// covers tells whether a path may be read.
func (r reach) covers(path string) bool {
	path = followed(path)
	return slices.ContainsFunc(r.reads, func(folder string) bool { return below(path, folder) })
}
