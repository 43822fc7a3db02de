package install

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os/user"
	"strconv"
)

// account is who a service runs as, for the question what it can read.
type account struct {
	words string // for people
	uid   int    // -1: one that owns nothing and is in no group
	gids  []int
	group string // one that files can be given to; empty: there is none
}

// may tells whether the account has these rights on what lies there: 4 to read, 1 to execute or to go through a folder. Capabilities
// do not help: services have none that do.
func (a account) may(info fs.FileInfo, uid, gid int, rights fs.FileMode) bool {
	mode := info.Mode().Perm()
	if a.uid >= 0 && uid == a.uid {
		return mode>>6&rights == rights
	}
	for _, own := range a.gids {
		if gid == own {
			return mode>>3&rights == rights
		}
	}
	return mode&rights == rights
}

// serviceAccount is who the site's service runs as under the system's manager.
func serviceAccount(site Site, sys System) (account, error) {
	name := site.Account
	if sys.OS == "darwin" {
		name = cmp.Or(name, "_www") // that is macOS's user for web servers
	}
	switch {
	case name != "":
		return accountNamed(name)
	case site.Command == "dispatch": // root, without the capabilities by which it reads everything
		return account{words: "root without its privileges", uid: 0, gids: []int{0}, group: "root"}, nil
	}
	return account{words: "the service's user", uid: -1}, nil
}

// groupNamed is the name of the group with that id, or the id.
func groupNamed(id string) string {
	if group, err := user.LookupGroupId(id); err == nil {
		return group.Name
	}
	return id
}

func accountNamed(name string) (account, error) {
	found, err := user.Lookup(name)
	if _, unknown := errors.AsType[user.UnknownUserError](err); unknown {
		return account{}, Problem{Text: fmt.Sprintf("there is no user %s on this machine: make it, or name another one by --account", name)}
	}
	if err != nil {
		return account{}, fmt.Errorf("look up the user %s: %w", name, err)
	}
	a := account{words: "the user " + name}
	if a.uid, err = strconv.Atoi(found.Uid); err != nil {
		return account{}, fmt.Errorf("look up the user %s: its id is %q", name, found.Uid)
	}
	a.group = groupNamed(found.Gid)
	ids, err := found.GroupIds()
	if err != nil {
		ids = []string{found.Gid} // that of its own is known in any case
	}
	for _, id := range ids {
		if gid, err := strconv.Atoi(id); err == nil {
			a.gids = append(a.gids, gid)
		}
	}
	return a, nil
}
