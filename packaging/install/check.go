package install

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// Check tells what keeps the plan from being installed, a line each; nothing is changed. Each is a [Problem], or what the machine
// says of itself. Where InTheWay is set, [ApplyOptions].Force goes ahead.
func Check(ctx context.Context, site Site, plan Plan, sys System) []error {
	var problems []error
	refused := rights(sys)
	if p, _ := errors.AsType[Problem](refused); p.Usage {
		return []error{refused}
	}
	if refused != nil {
		problems = append(problems, refused)
	}
	c, inTheWay := findChanges(site, plan, sys)
	if refused != nil { // who may not write may not read everything either
		inTheWay = slices.DeleteFunc(inTheWay, func(err error) bool { return errors.Is(err, fs.ErrPermission) })
	}
	problems = append(problems, checkFolders(site.Name, sys)...)
	problems = append(problems, inTheWay...)
	problems = append(problems, checkReads(site, plan, sys)...)
	if refused == nil {
		if err := sys.Manager.Ready(ctx); err != nil {
			return append(problems, err) // it cannot be asked anything else
		}
	}
	if refused == nil {
		problems = append(problems, checkUnitPath(ctx, sys.Paths(site.Name), sys), checkDispatcher(ctx, site, sys))
		problems = slices.DeleteFunc(problems, func(err error) bool { return err == nil })
	}
	if c != nil {
		problems = append(problems, checkPorts(ctx, site, c.old, sys)...)
	}
	return append(problems, checkUnits(ctx, plan, sys)...)
}

// rights tells whether this process may install at all.
func rights(sys System) error {
	if sys.User && sys.UID == 0 {
		return ownHomeOfRoot(sys)
	}
	if sys.User || sys.UID == 0 {
		return nil
	}
	return Problem{Refused: true, Text: "for the whole machine this needs root: the same with sudo in front, or with --user for your account alone"}
}

// ownHomeOfRoot tells whether root's --user would be in the home of somebody else, as with sudo where that keeps HOME: the files
// would be root's, and none of either's manager.
func ownHomeOfRoot(sys System) error {
	info, err := os.Stat(sys.at(sys.Home))
	if err != nil {
		return nil // whoever makes it hears of it
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Uid != 0 {
		return Problem{Usage: true, Text: fmt.Sprintf("--user is for the account of %s, whose home %s is, and this is root: run it without sudo", cmp.Or(ownerOf(info), "whoever"), sys.Home)}
	}
	return nil
}

// checkFolders tells whether the folders can be written to.
func checkFolders(name string, sys System) (problems []error) {
	if rights(sys) != nil {
		return nil
	}
	paths := sys.Paths(name)
	for _, folder := range []string{paths.Units, paths.Site} {
		there := sys.at(folder)
		if gone := missing(there); len(gone) > 0 {
			there = filepath.Dir(gone[0])
		}
		info, err := os.Stat(there)
		switch {
		case err != nil:
			problems = append(problems, Problem{Text: fmt.Sprintf("%s: %v", folder, plain(err))})
		case !info.IsDir():
			problems = append(problems, Problem{Text: fmt.Sprintf("%s is to be a folder, and %s is none: move it away, or choose another --name", folder, sys.from(there))})
		default:
			if err := unix.Access(there, unix.W_OK|unix.X_OK); err != nil {
				problems = append(problems, Problem{Refused: err != unix.EROFS, Text: fmt.Sprintf("%s cannot be written to (%v), and %s has to be: see its owner and mode, and how it is mounted", sys.from(there), err, folder)})
			}
		}
	}
	return problems
}

// checkUnits has the manager's own checker look at the units, which lie in a temporary folder for that.
func checkUnits(ctx context.Context, plan Plan, sys System) []error {
	if sys.Verify == nil {
		return nil
	}
	folder, err := os.MkdirTemp("", "rouse-install-")
	if err != nil {
		return []error{fmt.Errorf("a folder to check the units in: %w", err)}
	}
	defer os.RemoveAll(folder)
	var units []string
	for _, file := range plan.Files {
		if plan.Units.unitAt(file.Path) == "" {
			continue
		}
		path := filepath.Join(folder, filepath.Base(file.Path))
		if err := os.WriteFile(path, file.Text, 0o644); err != nil {
			return []error{fmt.Errorf("a folder to check the units in: %w", err)}
		}
		units = append(units, path)
	}
	if err := sys.Verify(ctx, units); err != nil {
		return []error{err}
	}
	return nil
}
