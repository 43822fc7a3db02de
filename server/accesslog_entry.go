package server

import (
	"log/slog"
	"time"
)

// AccessEntry is what the log tells of a request. It is the only attribute of a record whose message is "request": handlers
// of log/slog write its fields, and a handler that knows the type may write a line of another form. It is theirs until they
// return: the memory serves the next request.
type AccessEntry struct {
	Begun        time.Time
	Duration     time.Duration
	Client       string // the client's address, behind trusted proxies; "unix" for the peer of a unix socket
	Proxy        string // the peer, where that is another one
	User         string // who gave a right password
	Method       string
	URI          string // as the client sent it
	Protocol     string // HTTP/1.1
	TLS          bool
	Status       int   // 0: none was sent
	Bytes        int64 // of the body
	Host         string
	UserAgent    string
	Referer      string
	RealIP       string // what X-Real-IP says
	RealRemoteIP string // what X-Forwarded-For or Forwarded says
	Aborted      bool   // the reply was not sent to its end

	begun string // Begun in the Common Log Format; empty: nobody has rendered it
}

const (
	longestURI   = 8 << 10 // bytes of a URI in a line
	longestField = 1 << 10 // bytes of another field that the client decides
)

// LogValue is the entry as flat fields; those of static-web-server have its names. Fields of no value are left out.
func (e *AccessEntry) LogValue() slog.Value {
	fields := make([]slog.Attr, 0, 16)
	add := func(name, value string) {
		if value != "" {
			fields = append(fields, slog.String(name, atMost(value, longestField)))
		}
	}
	add("remote_addr", e.Client)
	add("proxy", e.Proxy)
	add("user", e.User)
	add("method", e.Method)
	fields = append(fields, slog.String("uri", atMost(e.URI, longestURI)), slog.Int("status", e.Status), slog.Int64("bytes", e.Bytes),
		slog.Duration("duration", e.Duration), slog.String("protocol", e.protocol()))
	add("host", e.Host)
	add("referer", e.Referer)
	add("user_agent", e.UserAgent)
	add("x_real_ip", e.RealIP)
	add("real_remote_ip", e.RealRemoteIP)
	if e.Aborted {
		fields = append(fields, slog.Bool("aborted", true))
	}
	return slog.GroupValue(fields...)
}

// protocol names what was spoken: HTTP/1.1 or HTTP/2.0, with +TLS where it was.
func (e *AccessEntry) protocol() string {
	if !e.TLS {
		return e.Protocol
	}
	return e.Protocol + "+TLS"
}

// atMost keeps a client from filling the log with one request.
func atMost(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return text[:most] + "..."
}
