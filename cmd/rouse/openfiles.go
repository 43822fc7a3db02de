package main

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/server"
)

// setOpenFiles sets the limit on open files (RLIMIT_NOFILE), which the Go runtime has raised as far as it may, and says when
// that is too low for the connections that are asked for.
func (s *settings) setOpenFiles() (notices []string, err error) {
	if n := uint64(s.MaxOpenFiles.Value); n > 0 {
		if err := limitOpenFiles(n); err != nil {
			return nil, config("%s: %w", s.given["max-open-files"], err)
		}
	}
	wanted, descriptors := int(s.MaxConnections.Value), server.Descriptors()
	if places := server.PlacesOf(descriptors); descriptors > 0 && wanted > places {
		notices = append(notices, fmt.Sprintf("%s: %d open files are enough for %d connections, so that is the limit; raise LimitNOFILE= of the service, or ulimit -n",
			s.given["max-connections"], descriptors, places))
	}
	return notices, nil
}

// foreseeOpenFiles tells what setOpenFiles would, and sets nothing. Whether the system lets a process have as many is only a notice: a
// service may have other limits than who asks.
func (s *settings) foreseeOpenFiles() (notices []string, err error) {
	var limit unix.Rlimit
	n := uint64(s.MaxOpenFiles.Value)
	switch {
	case n == 0 || unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil:
		return nil, nil
	case n < fewestOpenFiles:
		return nil, config("%s: %w", s.given["max-open-files"], tooFewOpenFiles(n))
	case n > limit.Max:
		notices = append(notices, fmt.Sprintf("%s: the system lets this process have %d open files, not %d: rouse does not start so unless its service has LimitNOFILE=%d, or ulimit -Hn says as much",
			s.given["max-open-files"], limit.Max, n, n))
	}
	return notices, nil
}

// fewestOpenFiles is what a start takes, and one connection.
const fewestOpenFiles = 64

func tooFewOpenFiles(n uint64) error {
	return fmt.Errorf("%d open files are too few: %d is the least", n, fewestOpenFiles)
}

func limitOpenFiles(n uint64) error {
	if n < fewestOpenFiles {
		return tooFewOpenFiles(n)
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	if n > limit.Max {
		return fmt.Errorf("the system lets this process have %d open files, not %d: raise LimitNOFILE= of the service, or ulimit -Hn", limit.Max, n)
	}
	limit.Cur = n
	err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("the system does not let this process have %d open files", n)
	}
	return err
}
