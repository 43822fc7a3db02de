package install

import "errors"

// Preview tells what Apply would do to the files, and changes nothing. With force it goes on over files in the way, whose copies
// have no names yet: Backups has their own.
func Preview(site Site, plan Plan, sys System, force bool) (Result, error) {
	c, problems := findChanges(site, plan, sys)
	for _, err := range problems {
		if p, ok := errors.AsType[Problem](err); !ok || !p.InTheWay || !force {
			return Result{}, err
		}
	}
	r := Result{Same: c.same(), Chain: c.chain}
	for _, one := range c.write {
		r.Written = append(r.Written, one.path)
		if one.aside {
			r.Backups = append(r.Backups, one.path)
		}
	}
	for _, one := range c.leaving {
		if one.edited {
			r.Backups = append(r.Backups, one.path)
			continue
		}
		r.Removed = append(r.Removed, one.path)
	}
	return r, nil
}
