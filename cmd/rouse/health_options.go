package main

import (
	"time"

	"github.com/rouse-server/rouse/server"
)

// asking is the options of `rouse health`.
type asking struct {
	Timeout  server.Duration `ignored:"true" key:"-" flag:"timeout" arg:"TIME" help:"what has not answered after so long is unhealthy"`
	Insecure bool            `ignored:"true" key:"-" flag:"insecure" short:"k" help:"take any certificate; without URL that is so anyway"`
}

// healthOptions returns the options of `rouse health`, and the machinery that reads them.
func healthOptions() (*asking, *subcommand) {
	a := &asking{Timeout: server.Duration(5 * time.Second)}
	return a, newSubcommand("health", a, false)
}

// readWords is read for a command without a program behind its options: they may stand before and after its words.
func (s *subcommand) readWords(args []string) (words []string, err error) {
	for {
		rest, err := s.read(args)
		if err != nil || len(rest) == 0 {
			return words, err
		}
		words, args = append(words, rest[0]), rest[1:]
	}
}
