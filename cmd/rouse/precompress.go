package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"github.com/rouse-server/rouse/server/compress"
	"github.com/rouse-server/rouse/server/compress/precompress"
	"github.com/rouse-server/rouse/server/files"
)

const precompressHelp = `usage: rouse precompress [OPTIONS] DIR

Writes page.html.zst, page.html.br and page.html.gz beside page.html, for all files below DIR whose kind is worth it. With
--compression-static, rouse serve sends them as they are. Those that are up to date are left, those that would be no
smaller are not written. Names that begin with a dot and symbolic links are left alone.

      --level N|best       from 1 (fastest) to 11; gzip ends at 9, zstd takes steps at 3, 6 and 10 (best)
      --codings LIST       of zstd, br and gzip (zstd,br,gzip)
      --min-size SIZE      leave smaller files alone (200)
  -j, --jobs N             files to compress at once (as many as there are processors)
      --remove             remove what is named like such a file, backup.sql.gz as well as page.html.gz, and has no original
  -n, --dry-run            change nothing, print what would be done
  -q, --quiet              print errors only

exit codes: 0 done, 1 something failed or was interrupted, 2 wrong command line.
`

// precompressing is the command line of `rouse precompress`.
type precompressing struct {
	precompress.Options
	quiet bool
	dir   string
}

// precompressFiles is `rouse precompress DIR`.
func precompressFiles(c console) error {
	p, err := readPrecompress(c.args)
	if errors.Is(err, pflag.ErrHelp) {
		_, err = io.WriteString(c.stdout, precompressHelp)
		return err
	}
	if err != nil {
		return err
	}
	if info, err := os.Stat(p.dir); err == nil && !info.IsDir() {
		return usage("precompress %s: not a folder", p.dir)
	} else if errors.Is(err, os.ErrNotExist) {
		return usage("precompress %s: no such folder", p.dir)
	}
	// Ended by a signal, the files that are half-written are removed first.
	ctx, done := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer done()
	return p.run(ctx, c)
}

func (p *precompressing) run(ctx context.Context, c console) error {
	screen := newProgress(c.stderr, p.quiet)
	p.Note = func(text string) {
		if !p.quiet {
			screen.print(c.stdout, printable(text))
		}
	}
	p.Fail = func(err error) { screen.print(c.stderr, printable("rouse: precompress "+err.Error())) }
	p.Scaled, p.Done = screen.scale, screen.add
	p.Compressible = func(name string) bool { return compress.Compressible(files.MediaType(name)) }
	start := time.Now()
	totals, err := precompress.Run(ctx, p.dir, p.Options)
	screen.end()
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("precompress %s: %w", p.dir, err)
	}
	if !p.quiet {
		fmt.Fprintln(c.stdout, p.summary(totals, time.Since(start)))
	}
	switch {
	case err != nil:
		return fmt.Errorf("precompress %s: interrupted; what was written is whole, run it again for the rest", p.dir)
	case totals.Failed > 0:
		return fmt.Errorf("precompress %s: %d failed, see above", p.dir, totals.Failed)
	}
	return nil
}

// summary is the last line: files, bytes before and after per coding, what was not written and why, time.
func (p *precompressing) summary(t precompress.Totals, took time.Duration) string {
	parts := []string{fmt.Sprintf("%d compressible files", t.Files)}
	wrote := "wrote"
	if p.DryRun {
		wrote = "would write"
	}
	for _, c := range p.Codings {
		made := t.Made[c]
		switch {
		case made.Files == 0:
		case p.DryRun:
			parts = append(parts, fmt.Sprintf("%s %d %s for %s", wrote, made.Files, compress.Extension(c), byteSize(made.Before)))
		default:
			parts = append(parts, fmt.Sprintf("%s %d %s, %s became %s", wrote, made.Files, compress.Extension(c), byteSize(made.Before), byteSize(made.After)))
		}
	}
	for _, count := range []struct {
		n    int
		what string
	}{{t.UpToDate, "up to date"}, {t.Useless, "not written, they would be no smaller"}, {t.Removed, "removed"}, {t.Failed, "failed"}} {
		if count.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", count.n, count.what))
		}
	}
	return strings.Join(parts, "; ") + "; took " + took.Round(time.Millisecond).String()
}

// byteSize is a number of bytes for people, in powers of 1024 as server.Size reads them.
func byteSize(n int64) string {
	size, units := float64(n), "BKMGT"
	for size >= 1024 && len(units) > 1 {
		size, units = size/1024, units[1:]
	}
	if units[0] == 'B' || size >= 100 {
		return strconv.FormatFloat(size, 'f', 0, 64) + units[:1]
	}
	return strconv.FormatFloat(size, 'f', 1, 64) + units[:1]
}
