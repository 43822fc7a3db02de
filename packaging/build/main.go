// Command build makes all that a release of Rouse consists of: packages for Debian, Red Hat and Alpine, archives, a
// universal binary for macOS, a container image, a list of what is in them (SBOM), and their checksums. It needs Go alone,
// and the network only for modules that are not there yet. The same source and version give the same bytes.
//
//	go run ./packaging/build [--version V] [--output DIR] [--only FORMAT,…] [--arch ARCH,…]
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/pflag"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	switch {
	case errors.Is(err, pflag.ErrHelp):
	case err != nil:
		fmt.Fprintf(os.Stderr, "build: %v\n", err)
		os.Exit(1)
	}
}

// run makes what the arguments ask for, and prints the path of each file.
func run(ctx context.Context, arguments []string, out io.Writer) error {
	asked, err := parseOptions(arguments)
	if err != nil {
		return err
	}
	r, err := newRelease(ctx, asked)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(asked.output, 0o755); err != nil {
		return fmt.Errorf("make the folder of what is built: %w", err)
	}
	// Beside the end result, so that a rename does: whoever looks there sees whole files only.
	r.work, err = os.MkdirTemp(asked.output, ".build-")
	if err != nil {
		return fmt.Errorf("make a temporary folder: %w", err)
	}
	defer os.RemoveAll(r.work)
	if err := r.make(ctx); err != nil {
		return err
	}
	for _, file := range r.made {
		path := filepath.Join(asked.output, filepath.Base(file))
		if err := os.Rename(file, path); err != nil {
			return fmt.Errorf("move what was built to its place: %w", err)
		}
		fmt.Fprintln(out, path)
	}
	return nil
}

// release is what one run makes.
type release struct {
	options
	root     string    // the module's folder
	version  version   // of all that is made
	time     time.Time // likewise, and of every file in it
	work     string    // temporary
	binaries map[target]built
	notices  []byte // the licences of what the binaries are made of
	lock     sync.Mutex
	made     []string // paths below work
}

// make makes everything in the temporary folder.
func (r *release) make(ctx context.Context) error {
	if err := r.compile(ctx); err != nil {
		return err
	}
	if err := r.makeFormats(ctx); err != nil {
		return err
	}
	return r.writeChecksums()
}

// makeFormats makes the formats that were asked for, all at once: most of it is compression.
func (r *release) makeFormats(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	failed := make(chan error, len(formats()))
	for _, format := range formats() {
		if !r.wants(format.name) {
			continue
		}
		all.Go(func() {
			if err := format.make(r, ctx); err != nil {
				failed <- fmt.Errorf("%s: %w", format.name, err)
				cancel()
			}
		})
	}
	all.Wait()
	select {
	case err := <-failed: // the first; the others were cancelled
		return err
	default:
		return nil
	}
}

// add returns the path at which a file of the release is to be written.
func (r *release) add(format string, a ...any) string {
	r.lock.Lock()
	defer r.lock.Unlock()
	path := filepath.Join(r.work, fmt.Sprintf(format, a...))
	r.made = append(r.made, path)
	return path
}
