package install

import (
	"fmt"
	"os"
	"slices"
)

// programs are what the service executes: rouse, and what that starts.
func programs(site Site) []string {
	all := []string{site.Program}
	if i := slices.Index(site.Words, "--"); i >= 0 && i+1 < len(site.Words) {
		all = append(all, site.Words[i+1])
	}
	return all
}

// checkProgram tells what keeps the service from executing a program.
func (r reading) checkProgram(program string) error {
	access := Access{"the program", program}
	real, err := r.resolve(access)
	if err != nil {
		return err
	}
	if err := r.checkSandbox(access, real); err != nil {
		return err
	}
	if r.sys.User {
		return nil // whoever runs it now may run it
	}
	path := append(around(program, real), real)
	if r.sandboxed() && inHome(program) {
		path = []string{real} // systemd binds it there
	}
	for _, step := range path {
		if ok, err := r.may(step, 1); err != nil || !ok {
			return Problem{Text: fmt.Sprintf("the program %s: %s may not execute it: chmod o+x %s, or copy it: install -m 755 %s /usr/local/bin/", program, r.who.words, shellWord(step), shellWord(program))}
		}
	}
	return nil
}

// checkCredential tells what keeps the manager from handing a file over; it reads it before the service sees anything less.
func (r reading) checkCredential(credential Credential) error {
	access := Access{"the secret " + credential.ID + ":", credential.Path}
	real, err := r.resolve(access)
	if err != nil {
		return err
	}
	if info, err := os.Stat(r.sys.at(real)); err == nil && info.IsDir() {
		return Problem{Text: fmt.Sprintf("%s %s is a folder: name the file", access.Option, access.Path)}
	}
	if r.sys.User {
		return r.checkOwn(access, real)
	}
	return nil
}
