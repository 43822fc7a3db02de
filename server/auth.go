package server

import (
	"errors"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/rouse-server/rouse/server/errorpage"
	"github.com/rouse-server/rouse/server/password"
)

// challenge is static-web-server's: clients keep passwords by the realm.
const challenge = `Basic realm="Static Web Server", charset="UTF-8"`

// authenticated asks for a password of one of the users (RFC 7617), except for OPTIONS, which browsers send without; nil asks
// for none. The guard is the same after a reload. client tells whose attempt a request is.
//
// Replies need no Cache-Control of their own: what was asked for with Authorization shared caches keep only where public,
// s-maxage or must-revalidate say that they may (RFC 9111 §3.5), and no such thing is sent here unasked.
func authenticated(users *password.Users, guard *password.Guard, client func(*http.Request) netip.Addr, log *slog.Logger) link {
	refusals := &refusalLog{log: log, limit: rate.NewLimiter(10, 100)}
	return func(next http.Handler) http.Handler {
		if users == nil {
			return next
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodOptions {
				next.ServeHTTP(w, r)
				return
			}
			user, secret, given := r.BasicAuth()
			if !given {
				turnAway(w, r, nil)
				return
			}
			err := guard.Check(r.Context(), users, client(r), user, secret)
			if err == nil {
				remark(w, func(m *remarks) { m.user = user })
				next.ServeHTTP(w, r)
				return
			}
			if r.Context().Err() == nil {
				refusals.note(client(r), user, err)
			}
			turnAway(w, r, err)
		})
	}
}

// turnAway answers a request whose password is missing (nil), wrong, or was not checked.
func turnAway(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusServiceUnavailable // many wait for their check, or this client does no more
	limited, many := errors.AsType[*password.Limited](err)
	switch {
	case err == nil || err == password.ErrWrong:
		w.Header().Set("WWW-Authenticate", challenge)
		status = http.StatusUnauthorized
	case many:
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(limited.Wait.Seconds()))))
		status = http.StatusTooManyRequests
	default:
		w.Header().Set("Retry-After", "1")
	}
	errorpage.Write(w, r, status)
}

// refusalLog writes a line for each password that was refused: ten a second at most, so that an attack does not fill the disk.
type refusalLog struct {
	log     *slog.Logger
	limit   *rate.Limiter
	skipped atomic.Int64
}

const longestUser = 128 // bytes of a name in a line: the client decides what it is

func (l *refusalLog) note(client netip.Addr, user string, err error) {
	if !l.limit.AllowN(time.Now(), 1) {
		l.skipped.Add(1)
		return
	}
	address := "unix"
	if client.IsValid() {
		address = client.String()
	}
	attributes := []any{"remote_addr", address, "user", atMost(user, longestUser), "reason", err.Error()}
	if skipped := l.skipped.Swap(0); skipped > 0 {
		attributes = append(attributes, "more", skipped)
	}
	l.log.Warn("password refused", attributes...)
}
