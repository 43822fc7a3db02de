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

// checkRouse tells what keeps the manager from starting rouse itself, which it does as root for the machine.
func (r reading) checkRouse(program string) error {
	if err := r.checkProgram(program); err != nil || r.sys.User {
		return err
	}
	other, err := r.sys.changeable(program)
	if err != nil {
		return Problem{Text: fmt.Sprintf("the program %s: %v", program, plain(err))}
	}
	if other.who == "" || r.sys.fromHomebrew(program) {
		return nil
	}
	mend := fmt.Sprintf("sudo install -m 755 %s %s, and call that one", shellWord(program), ownPlace)
	if program == ownPlace || within(ownPlace, other.path) { // where it is, it would be the same
		mend = fmt.Sprintf("sudo chown root %s && sudo chmod go-w %s", shellWord(other.path), shellWord(other.path))
	}
	return Problem{Text: fmt.Sprintf("the program %s: %s, and the service manager would run that as root: %s", program, other, mend)}
}

// ownPlace is where programs of the machine's owner lie (file-hierarchy(7)).
const ownPlace = "/usr/local/bin/rouse"

// Notices tells what people should know of the machine as it is for this site, a line each; [Plan].Notices are of the site alone.
func Notices(site Site, sys System) (notices []string) {
	if sys.User {
		return nil
	}
	all := programs(site)
	if other, err := sys.changeable(site.Program); err == nil && other.who != "" && sys.fromHomebrew(site.Program) {
		notices = append(notices, fmt.Sprintf("%s: %s, and root runs it for the renewal of certificates: a copy of root's own is safer: sudo install -m 755 %s %s", site.Program, other, shellWord(site.Program), ownPlace))
	}
	for _, program := range all[1:] {
		if other, err := sys.changeable(program); err == nil && other.who != "" {
			notices = append(notices, fmt.Sprintf("%s: %s, and so what the service does", program, other))
		}
	}
	return notices
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
	for _, step := range append(around(program, real), real) {
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
