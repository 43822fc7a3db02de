package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"
)

// askHealth is `rouse health [OPTIONS] [URL]`: it asks a running server, and tells by its exit status whether that is healthy.
func askHealth(c console) error {
	a, s := healthOptions()
	words, err := s.readWords(c.args)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return healthHelp(c)
	case err != nil:
		return err
	case len(words) > 1:
		return usage("rouse health asks one URL: leave %s out", words[1])
	case a.Timeout <= 0:
		return usage("--timeout %s: nobody can answer within that: give a time such as 5s", a.Timeout)
	}
	q := question{insecure: a.Insecure}
	if len(words) == 1 {
		err = q.takeURL(words[0])
	} else {
		q, err = ownQuestion(c)
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(a.Timeout))
	defer cancel()
	status, err := q.ask(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s has not answered within %s", q.url.Redacted(), a.Timeout)
	} else if err != nil {
		return q.explain(err)
	}
	_, err = fmt.Fprintf(c.stdout, "%s answers %s\n", q.url.Redacted(), status)
	return err
}

// question is what is asked, and where.
type question struct {
	url      *url.URL
	network  string   // tcp or unix
	places   []string // addresses of which the first that is open is asked; none: that of the URL
	insecure bool     // any certificate will do
}

func (q *question) takeURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return usage("%q is not a URL that can be asked: write one such as http://127.0.0.1:8080/health", withoutLogin(text))
	}
	q.url = u
	return nil
}

// withoutLogin is a text that was to be a URL, without the user and password that may stand in it.
func withoutLogin(text string) string {
	at := strings.LastIndexByte(text, '@')
	if at < 0 {
		return text
	}
	scheme, _, found := strings.Cut(text[:at], "://")
	if !found {
		return "…" + text[at:]
	}
	return scheme + "://…" + text[at:]
}

// ask returns the status of the answer. One of 400 or more is an error, which says so.
func (q question) ask(ctx context.Context) (status string, err error) {
	transport := &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: q.insecure},
	}
	if len(q.places) > 0 {
		transport.DialContext = q.connect
	}
	client := http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, q.url.String(), nil)
	if err != nil {
		return "", err
	}
	request.Header.Set("User-Agent", "rouse-health/"+versionNumber())
	answer, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)) // so that a short answer is not cut off
	if answer.StatusCode >= http.StatusBadRequest {
		return "", unhealthy(answer.Status)
	}
	return answer.Status, nil
}

// unhealthy is the status of an answer that says so.
type unhealthy string

func (u unhealthy) Error() string { return string(u) }

// connect tries the places in turn.
func (q question) connect(ctx context.Context, _, _ string) (net.Conn, error) {
	var dialer net.Dialer
	var first error
	for _, place := range q.places {
		conn, err := dialer.DialContext(ctx, q.network, place)
		if err == nil {
			return conn, nil
		}
		first = cmp.Or(first, err)
	}
	return nil, first
}

// explain says in one line what is wrong.
func (q question) explain(err error) error {
	at := q.url.Redacted()
	if q.network == "unix" {
		at += " on " + q.places[0]
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // what stands before it is the URL
	}
	if status, ok := errors.AsType[unhealthy](err); ok {
		return fmt.Errorf("%s answers %s", at, status)
	}
	if untrusted, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Errorf("%s: %w; --insecure takes any certificate", at, untrusted.Err)
	}
	cause, _ := errors.AsType[syscall.Errno](err)
	switch {
	case cause == syscall.ECONNREFUSED || cause == syscall.ENOENT:
		return fmt.Errorf("%s: nobody listens there: %w", at, cause)
	case errors.Is(err, http.ErrSchemeMismatch):
		return fmt.Errorf("%s: the server there does not speak TLS: ask for http://", at)
	case errors.Is(err, io.EOF) || cause == syscall.ECONNRESET:
		return fmt.Errorf("%s: the connection was closed without an answer", at)
	}
	return fmt.Errorf("%s: %w", at, err)
}

const healthHead = `usage: rouse health [OPTIONS] [URL]

Asks a running server, such as rouse serve, and tells by its exit status whether that is healthy: whether it answers
with a status below 400. Redirects are not followed. Without URL it asks the rouse serve of the same variables and the
same file of options, as in a container: on loopback if that listens everywhere, at /health if that is on (--health).

    rouse health
    rouse health https://www.example.com/

options:
`

const healthTail = `
exit codes: 0 healthy; 1 unhealthy, or nobody answers; 2 wrong command line, 78 wrong configuration.
`

// healthHelp prints the options of `rouse health`.
func healthHelp(c console) error {
	_, s := healthOptions()
	_, err := io.WriteString(c.stdout, healthHead+optionsHelp(s.documented())+healthTail)
	return err
}
