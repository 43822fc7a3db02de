package main

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/rouse-server/rouse/activation/route/spelling"
	"github.com/rouse-server/rouse/server"
	"github.com/rouse-server/rouse/server/compress"
	"github.com/rouse-server/rouse/server/compress/precompress"
)

// readPrecompress reads the command line.
func readPrecompress(args []string) (*precompressing, error) {
	p := &precompressing{Options: precompress.Options{Codings: []compress.Coding{compress.Zstd, compress.Brotli, compress.Gzip},
		Level: compress.MaxNumber, MinSize: compress.MinSize, Jobs: runtime.GOMAXPROCS(0)}}
	flags := pflag.NewFlagSet("precompress", pflag.ContinueOnError)
	flags.Usage = func() {}
	flags.Func("level", "", p.setLevel)
	flags.Func("codings", "", p.setCodings)
	flags.Func("min-size", "", p.setMinSize)
	flags.FuncP("jobs", "j", "", p.setJobs)
	flags.BoolVar(&p.Remove, "remove", false, "")
	flags.BoolVarP(&p.DryRun, "dry-run", "n", false, "")
	flags.BoolVarP(&p.quiet, "quiet", "q", false, "")
	if err := flags.Parse(args); err != nil {
		return nil, precompressError(err, flags)
	}
	if flags.NArg() != 1 || flags.Arg(0) == "" {
		return nil, usage("rouse precompress needs one folder: rouse precompress [OPTIONS] DIR")
	}
	p.dir = flags.Arg(0)
	return p, nil
}

// precompressError is what is wrong with the command line, in one line.
func precompressError(err error, flags *pflag.FlagSet) error {
	if errors.Is(err, pflag.ErrHelp) {
		return err
	}
	if bad, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return usage("--%s %s: %w", bad.GetFlag().Name, bad.GetValue(), bad.Unwrap())
	}
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		var names []string
		flags.VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
		name := "--" + unknown.GetSpecifiedName()
		if unknown.GetSpecifiedShortnames() != "" {
			name = name[1:]
		}
		return usage("there is no option %s%s: rouse precompress --help lists them", name, spelling.Suggestion(name, names))
	}
	return flagError(err, nil)
}

func (p *precompressing) setLevel(text string) error {
	if text == "best" {
		p.Level = compress.MaxNumber
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > compress.MaxNumber {
		return fmt.Errorf("not best or a number from 1 to %d", compress.MaxNumber)
	}
	p.Level = n
	return nil
}

func (p *precompressing) setCodings(text string) error {
	p.Codings = nil
	for word := range strings.SplitSeq(text, ",") {
		coding := compress.Coding(strings.TrimSpace(word))
		if compress.Extension(coding) == "" {
			return fmt.Errorf("not a list of zstd, br and gzip")
		}
		if !slices.Contains(p.Codings, coding) {
			p.Codings = append(p.Codings, coding)
		}
	}
	return nil
}

func (p *precompressing) setMinSize(text string) error {
	var size server.Size
	err := size.Set(text)
	p.MinSize = int64(size)
	return err
}

func (p *precompressing) setJobs(text string) error {
	n, err := strconv.ParseUint(text, 10, 15)
	if err != nil || n == 0 {
		return fmt.Errorf("not a number from 1 on")
	}
	p.Jobs = int(n)
	return nil
}
