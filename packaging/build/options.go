package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// options are what the command line says.
type options struct {
	versionText string
	output      string
	only        []string // formats; empty: all
	arches      []string
}

// format is a kind of file that a release has.
type format struct {
	name string
	make func(*release, context.Context) error
	// what it is built from, beside the architectures that were asked for
	linux, darwin, universal bool
}

// formats are all there are.
func formats() []format {
	return []format{
		{name: "deb", make: (*release).makeDebs, linux: true},
		{name: "rpm", make: (*release).makeRPMs, linux: true},
		{name: "apk", make: (*release).makeAPKs, linux: true},
		{name: "tar", make: (*release).makeArchives, linux: true, darwin: true},
		{name: "universal", make: (*release).makeUniversal, universal: true},
		{name: "image", make: (*release).makeImage, linux: true},
		{name: "sbom", make: (*release).makeSBOM, linux: true},
	}
}

func (o options) wants(format string) bool {
	return len(o.only) == 0 || slices.Contains(o.only, format)
}

func parseOptions(arguments []string) (options, error) {
	var o options
	var names []string
	for _, f := range formats() {
		names = append(names, f.name)
	}
	flags := pflag.NewFlagSet("build", pflag.ContinueOnError)
	flags.StringVar(&o.versionText, "version", "", "version, such as 1.2.3 or 1.2.3-rc.1 (default: what git describe says)")
	flags.StringVar(&o.output, "output", "", "folder for what is built (default: packaging/dist)")
	flags.StringSliceVar(&o.only, "only", nil, "of "+strings.Join(names, ", ")+" make these alone")
	flags.StringSliceVar(&o.arches, "arch", architectures(), "for these processors")
	if err := flags.Parse(arguments); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("%q is not an option: see --help", flags.Arg(0))
	}
	if err := among("--only", o.only, names); err != nil {
		return o, err
	}
	return o, among("--arch", o.arches, architectures())
}

func among(option string, given, known []string) error {
	for _, one := range given {
		if !slices.Contains(known, one) {
			return fmt.Errorf("%s %s: there are %s", option, one, strings.Join(known, ", "))
		}
	}
	return nil
}

// newRelease finds the module, its version and its time.
func newRelease(ctx context.Context, o options) (*release, error) {
	gomod, err := output(ctx, "", nil, "go", "env", "GOMOD")
	if err != nil {
		return nil, err
	}
	if gomod == "" || gomod == os.DevNull {
		return nil, fmt.Errorf("this folder is not in a checkout of Rouse: run it there")
	}
	r := &release{options: o, root: filepath.Dir(gomod)}
	if r.output == "" {
		r.output = filepath.Join(r.root, "packaging", "dist")
	}
	if r.output, err = filepath.Abs(r.output); err != nil {
		return nil, err
	}
	if r.time, err = releaseTime(ctx, r.root); err != nil {
		return nil, err
	}
	text := o.versionText
	if text == "" {
		text = describe(ctx, r.root, r.time)
	}
	r.version, err = parseVersion(text)
	return r, err
}

// releaseTime is what SOURCE_DATE_EPOCH says (reproducible-builds.org), else the commit's time.
func releaseTime(ctx context.Context, root string) (time.Time, error) {
	text := os.Getenv("SOURCE_DATE_EPOCH")
	if text == "" {
		var err error
		if text, err = git(ctx, root, "log", "-1", "--format=%ct"); err != nil {
			return time.Time{}, fmt.Errorf("no SOURCE_DATE_EPOCH, and no commit whose time could stand for it: %w", err)
		}
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seconds < 0 {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH=%s is not a number of seconds since 1970", text)
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// git runs a command of git, also in a checkout that belongs to somebody else. Its errors are not shown: there may be no git.
func git(ctx context.Context, root string, arguments ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-c", "safe.directory=*"}, arguments...)...)
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w", strings.Join(arguments, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}

// output runs a command and returns what it prints, less the last newline; its errors go to ours.
func output(ctx context.Context, dir string, env []string, name string, arguments ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, arguments...)
	cmd.Dir, cmd.Env, cmd.Stderr = dir, env, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", name, strings.Join(arguments, " "), err)
	}
	return strings.TrimSuffix(string(out), "\n"), nil
}
