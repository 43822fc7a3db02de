package reply

import (
	"net/http"
	"sync/atomic"
	"time"
)

// Date is a moment as replies tell it (RFC 9110 §6.6.1).
type Date struct {
	HTTP1 []byte // "Date: …\r\n"
	HTTP2 []byte // the field date for the end of a header block, without use of the dynamic table
	Log   string // as the Common Log Format has it, in local time

	second int64
}

// CommonLog is the layout of times in the Common Log Format: %t of Apache's mod_log_config.
const CommonLog = "02/Jan/2006:15:04:05 -0700"

// Dates renders moments, once for each second. The zero value is ready, and may be used by many goroutines.
type Dates struct {
	last atomic.Pointer[Date]
}

// At returns the date of now. It allocates once a second.
func (d *Dates) At(now time.Time) *Date {
	second := now.Unix()
	if last := d.last.Load(); last != nil && last.second == second {
		return last
	}
	text := now.UTC().Format(http.TimeFormat)
	next := &Date{HTTP1: []byte("Date: " + text + "\r\n"), HTTP2: appendLiteral(nil, "Date", text), Log: now.Format(CommonLog), second: second}
	d.last.Store(next)
	return next
}
