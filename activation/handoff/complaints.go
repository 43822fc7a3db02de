package handoff

import (
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// linesASecond is how many complaints are written out; the rest of a second is only counted.
const linesASecond = 5

// complaints writes what goes wrong into the log, and is not made to flood it by who sends nonsense.
type complaints struct {
	log  *slog.Logger
	name string

	mutex    sync.Mutex
	since    time.Time // of the second that is counted
	lines    int
	silenced int
	timer    *time.Timer
}

func newComplaints(log *slog.Logger, name string) *complaints {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &complaints{log: log, name: name}
}

// say writes a line, beginning with the name of the channel, or counts it.
func (c *complaints) say(text string, attributes ...any) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if now := time.Now(); now.Sub(c.since) >= time.Second {
		c.since, c.lines = now, 0
	}
	c.lines++
	if c.lines <= linesASecond {
		c.log.Warn(c.name+": "+text, attributes...)
		return
	}
	c.silenced++
	if c.timer == nil {
		c.timer = time.AfterFunc(time.Second, c.end)
	}
}

// end tells how many lines were left out.
func (c *complaints) end() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
	if c.silenced > 0 {
		c.log.Warn(fmt.Sprintf("%s: and %d more of this kind", c.name, c.silenced))
		c.silenced = 0
	}
}
