package install

import (
	"os"
	"strings"
	"testing"
)

// Whoever can put another file in the place of rouse would be root at the next renewal. The folders on the way count, also those
// of links, and that a folder is sticky does not help.
func TestRouseIsRootsAlone(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give files to others")
	}
	const roots, mend = "", ", and the service manager would run that as root: sudo install -m 755 "
	for name, c := range map[string]struct {
		program, path string
		mode          os.FileMode
		owner, group  int
		want          string
	}{
		"root's":             {"/opt/bin/rouse", "/opt/bin", 0o755, 0, 0, roots},
		"somebody's":         {"/opt/bin/rouse", "/opt/bin/rouse", 0o755, 4242, 0, "the program /opt/bin/rouse: the user with the id 4242 can change /opt/bin/rouse" + mend + "/opt/bin/rouse /usr/local/bin/rouse, and call that one"},
		"in somebody's":      {"/opt/bin/rouse", "/opt", 0o755, 4242, 0, "the program /opt/bin/rouse: the user with the id 4242 can change /opt" + mend},
		"writable":           {"/opt/bin/rouse", "/opt/bin/rouse", 0o757, 0, 0, "the program /opt/bin/rouse: everybody can change /opt/bin/rouse" + mend},
		"sticky":             {"/opt/bin/rouse", "/opt/bin", 0o777 | os.ModeSticky, 0, 0, "the program /opt/bin/rouse: everybody can change /opt/bin" + mend},
		"a group's":          {"/opt/bin/rouse", "/opt/bin", 0o775, 0, 4242, "the program /opt/bin/rouse: the group 4242 can change /opt/bin" + mend},
		"by a link":          {"/usr/bin/link", "/opt/bin", 0o777, 0, 0, "the program /usr/bin/link: everybody can change /opt/bin" + mend},
		"by a folder's link": {"/usr/there/rouse", "/opt", 0o777, 0, 0, "the program /usr/there/rouse: everybody can change /opt" + mend},
		"by two links":       {"/usr/bin/second", "/usr/links", 0o777, 0, 0, "the program /usr/bin/second: everybody can change /usr/links" + mend},
		"in its own place":   {"/usr/local/bin/rouse", "/usr/local/bin", 0o775, 0, 4242, "the program /usr/local/bin/rouse: the group 4242 can change /usr/local/bin, and the service manager would run that as root: sudo chown root /usr/local/bin && sudo chmod go-w /usr/local/bin"},
		"the file system's":  {"/opt/bin/rouse", "/", 0o777, 0, 0, "the program /opt/bin/rouse: everybody can change /, and the service manager would run that as root: sudo chown root /"},
	} {
		t.Run(name, func(t *testing.T) {
			w := madePrograms(t)
			if err := os.Chown(w.at(c.path), c.owner, c.group); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(w.at(c.path), c.mode); err != nil {
				t.Fatal(err)
			}
			oneProblem(t, checkReads(Site{Command: "serve", Program: c.program}, Plan{}, w.System), c.want)
			// What is woken is not run as root, so this is only told.
			site := Site{Command: "run", Program: "/bin/rouse", Words: []string{"--", c.program}}
			told := strings.Join(Notices(site, w.System), "\n")
			if c.path == "/" { // it is also before rouse
				return
			}
			oneProblem(t, checkReads(site, Plan{}, w.System), "")
			if (c.want == "") != (told == "") || told != "" && !strings.HasSuffix(told, ", and so what the service does") {
				t.Errorf("told is %q", told)
			}
			w.User = true
			oneProblem(t, checkReads(Site{Command: "serve", Program: c.program}, Plan{}, w.System), "")
			if told := Notices(site, w.System); len(told) > 0 {
				t.Errorf("told is %q", told)
			}
		})
	}
}

// madePrograms is a world with programs in three places, and links to them.
func madePrograms(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, false)
	for _, path := range []string{"/bin/rouse", "/opt/bin/rouse", "/usr/local/bin/rouse", "/usr/bin/x", "/usr/links/x"} {
		w.put(t, path, "")
		if err := os.Chmod(w.at(path), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for path, target := range map[string]string{"/usr/bin/link": "../../opt/./bin//rouse", "/usr/there": "../opt/bin", "/usr/links/first": "../../opt/bin/rouse", "/usr/bin/second": "../links/first"} {
		if err := os.Symlink(target, w.at(path)); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// On a Mac most have their programs from Homebrew, whose folders are their own: that is told, and elsewhere it is as on Linux.
func TestRouseFromHomebrew(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give files to others")
	}
	w := newWorld(t, false)
	w.OS = "darwin"
	const brewed, other = "/opt/homebrew/bin/rouse", "/opt/bin/rouse"
	for _, path := range []string{brewed, other} {
		w.put(t, path, "")
		if err := os.Chmod(w.at(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(w.at(path), 4242, 0); err != nil {
			t.Fatal(err)
		}
	}
	site := Site{Command: "serve", Account: "root", Program: brewed}
	oneProblem(t, checkReads(site, Plan{}, w.System), "")
	if told := Notices(site, w.System); len(told) != 1 || !strings.HasPrefix(told[0], brewed+": the user with the id 4242 can change "+brewed+", and root runs it") {
		t.Errorf("told is %q", told)
	}
	site.Program = other
	oneProblem(t, checkReads(site, Plan{}, w.System), "the program "+other+": the user with the id 4242 can change ")
	if told := Notices(site, w.System); len(told) > 0 {
		t.Errorf("told is %q", told)
	}
}

// A site in a home is served as far as its user may read there, or as its owner.
func TestSiteInAHome(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give files to others")
	}
	w := readable(t)
	for _, path := range []string{"/home/me", "/home/me/site"} {
		if err := os.Chown(w.at(path), 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	site := Site{Command: "serve", Program: "/usr/bin/rouse", Reads: []Access{{"--root", "/home/me/site"}}}
	name := ownerNamed(t, w, "/home/me")
	oneProblem(t, checkReads(site, Plan{}, w.System), "--root /home/me/site: the service's user may not read it: chmod o+x /home/me, or run it as its owner (--account "+name+"), or move it to /srv/site")
	site.Account = name
	oneProblem(t, checkReads(site, Plan{}, w.System), "")
	site.Account = ""
	if err := os.Chmod(w.at("/home/me/site"), 0o700); err != nil {
		t.Fatal(err)
	}
	oneProblem(t, checkReads(site, Plan{}, w.System), "--root /home/me/site: the service's user may not read it: chmod o+x /home/me && chmod o+rx /home/me/site, or run")
}

func ownerNamed(t *testing.T, w *world, path string) string {
	t.Helper()
	info, err := os.Stat(w.at(path))
	if err != nil {
		t.Fatal(err)
	}
	name := ownerOf(info)
	if name == "" {
		t.Skip("the user 65534 has no name here")
	}
	return name
}
