package route

import (
	"log/slog"
	"sync"
	"time"
)

// dropLog says things that may happen very often: the first at once, then at most one of a kind in a while, with how many
// there were. The kinds are bounded: beyond that, all others are one.
type dropLog struct {
	log *slog.Logger

	mu     sync.Mutex
	kinds  map[string]*dropKind
	closed bool
}

type dropKind struct {
	more       int // since the last line
	message    string
	attributes []any // of the last of them
	timer      *time.Timer
}

const (
	dropPause = 5 * time.Second
	mostKinds = 1000
)

func newDropLog(log *slog.Logger) *dropLog { return &dropLog{log: log, kinds: map[string]*dropKind{}} }

// say writes a line, or counts it.
func (l *dropLog) say(kind, message string, attributes ...any) {
	l.mu.Lock()
	if len(l.kinds) >= mostKinds {
		kind = ""
	}
	k := l.kinds[kind]
	if k != nil || l.closed {
		if k != nil {
			k.more, k.message, k.attributes = k.more+1, message, attributes
		}
		l.mu.Unlock()
		return
	}
	k = &dropKind{}
	k.timer = time.AfterFunc(dropPause, func() { l.tell(kind) })
	l.kinds[kind] = k
	l.mu.Unlock()
	l.log.Warn(message, attributes...)
}

// tell says what came since the last line of a kind, or forgets the kind.
func (l *dropLog) tell(kind string) {
	l.mu.Lock()
	k := l.kinds[kind]
	if k == nil || k.more == 0 {
		delete(l.kinds, kind)
		l.mu.Unlock()
		return
	}
	more, message, attributes := k.more, k.message, k.attributes
	k.more, k.attributes = 0, nil
	if !l.closed {
		k.timer.Reset(dropPause)
	}
	l.mu.Unlock()
	l.log.Warn(message, append(attributes, "times", more)...)
}

// close says what was not said yet.
func (l *dropLog) close() {
	l.mu.Lock()
	l.closed = true
	var left []string
	for kind, k := range l.kinds {
		k.timer.Stop()
		if k.more > 0 {
			left = append(left, kind)
		}
	}
	l.mu.Unlock()
	for _, kind := range left {
		l.tell(kind)
	}
}
