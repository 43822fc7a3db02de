package serve

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// Without these fields in each form, people could not see what was asked for, nor programs count it.
func TestRequestLine(t *testing.T) {
	t.Parallel()
	// client, method, target, status, bytes, duration, protocol, host
	const human = `(?m)^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d) GET 200 /\?q=1 44B \S+ 127\.0\.0\.1 HTTP/1\.1 host="localhost"$`
	for format, pattern := range map[string]string{
		"auto":   human,
		"human":  human,
		"logfmt": `(?m)^time=\S+ level=INFO msg=request remote_addr=127\.0\.0\.1 method=GET uri="/\?q=1" status=200 bytes=44 duration=\S+ protocol=HTTP/1\.1 host=localhost$`,
		"json":   `(?m)^\{"time":"[^"]+","level":"INFO","msg":"request","remote_addr":"127\.0\.0\.1","method":"GET","uri":"/\?q=1","status":200,"bytes":44,"duration":\d[0-9.e-]*,"protocol":"HTTP/1\.1","host":"localhost"\}$`,
	} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			a := newActivator(t)
			p := a.start("--log-format", format, "--log-level", "info")
			dial(t, a.http).get("/?q=1")
			p.Stderr.WaitFor(pattern, limit)
			if strings.Contains(p.Stderr.String(), "\x1b") {
				t.Error("colours where there is no terminal")
			}
		})
	}
}

// Without this a program that reads the log would stumble over lines of another form: notices, warnings, errors.
func TestEveryLineHasTheForm(t *testing.T) {
	t.Parallel()
	a := newActivator(t)
	a.env = []string{"SERVER_ROOOT=x"}
	p := a.start("--log-format", "json", "--log-level", "trace", "--drain-timeout", "1s")
	a.large("large")
	c := dial(t, a.http)
	c.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
	c.head()
	dial(t, a.https).send("no TLS")
	bad := dial(t, a.http)
	bad.send("GET /\x01 HTTP/1.1\r\n\r\n")
	bad.closed()
	dialTLS(t, a.https, a.pool).get("/%0a%22%1b[31m\"")
	os.Remove(a.cert)
	p.Signal(syscall.SIGHUP)
	p.Stderr.WaitFor("the old one is kept", limit)
	p.Signal(syscall.SIGTERM)
	exit(t, p, 0)
	levels := map[string]int{}
	for line := range strings.Lines(p.Stderr.String()) {
		var fields struct{ Time, Level, Msg string }
		if err := json.Unmarshal([]byte(line), &fields); err != nil || fields.Time == "" || fields.Level == "" || fields.Msg == "" {
			t.Errorf("%v: %s", err, line)
		}
		levels[fields.Level]++
	}
	for _, level := range []string{"NOTICE", "ERROR", "INFO", "DEBUG"} {
		if levels[level] == 0 {
			t.Errorf("no line of level %s", level)
		}
	}
}

// Without this the log of a busy server could not be kept small, or notices on its start would go missing.
func TestLogLevels(t *testing.T) {
	t.Parallel()
	for level, seen := range map[string]bool{"": false, "error": false, "warn": false, "info": true, "debug": true, "trace": true} {
		t.Run("level "+level, func(t *testing.T) {
			t.Parallel()
			a := newActivator(t)
			if level != "" {
				a.env = []string{"SERVER_LOG_LEVEL=" + level}
			}
			p := a.start()
			c := dial(t, a.http)
			c.get("/")
			c.Close()
			exit(t, endOf(p), 0)
			text := p.Stderr.String()
			if strings.Contains(text, " GET 200 / ") != seen {
				t.Errorf("request lines are to be seen: %v; log:\n%s", seen, text)
			}
			says(t, text, "serving "+a.root, "https://"+a.https)
		})
	}
}

// Without this, lines in the log would claim to be what they are not, or wreck the terminal of whoever reads them.
func TestRequestsCannotForgeLines(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"human", "logfmt", "json"} {
		a := newActivator(t)
		p := a.start("--log-format", format, "--log-level", "debug")
		c := dial(t, a.http)
		c.send("GET /%0a2026-01-01%1b[2J\"\\ HTTP/1.1\r\nHost: x\r\n\r\n")
		c.reply()
		c.Close()
		odd := dial(t, a.http)
		odd.send("G\x1bT /\x1b[2J HTTP/1.1\r\nHost: \x1b[2J\r\n\r\n")
		odd.closed()
		exit(t, endOf(p), 0)
		text := p.Stderr.String()
		if regexp.MustCompile(`[\x00-\x09\x0b-\x1f\x7f]`).MatchString(text) || regexp.MustCompile(`(?m)^2026-01-01`).MatchString(text) {
			t.Errorf("%s: control characters of a request in the log: %q", format, text)
		}
	}
}

// Without this protocols could not be told apart, nor unfinished downloads from whole ones.
func TestRequestLineTellsProtocolAndAborts(t *testing.T) {
	t.Parallel()
	a := newActivator(t)
	size := a.large("large")
	p := a.start("--log-level", "info", "--log-format", "logfmt")
	clients := program.Client(t, a.pool)
	fetch(t, clients.HTTP1, "https://"+a.https+"/?1")
	fetch(t, clients.HTTP2, "https://"+a.https+"/?2")
	fetch(t, clients.H2C, "http://"+a.http+"/?c")
	p.Stderr.WaitFor(`uri="?/\?1"? .* protocol=HTTP/1.1\+TLS `, limit)
	p.Stderr.WaitFor(`uri="?/\?2"? .* protocol=HTTP/2.0\+TLS `, limit)
	p.Stderr.WaitFor(`uri="?/\?c"? .* protocol=HTTP/2.0 `, limit)
	dial(t, a.http).get("/absent")
	p.Stderr.WaitFor(`uri=/absent status=404 bytes=[1-9]\d* `, limit)

	c := dial(t, a.http)
	c.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
	c.head()
	c.Close()
	line := p.Stderr.WaitFor(`uri=/large status=200 bytes=(\d+) .* aborted=true\n`, limit)
	if line[1] == fmt.Sprint(size) {
		t.Errorf("the line claims all %s bytes", line[1])
	}
}

// Without this the journal would show every line with the same priority; with it elsewhere, there would be litter in the log.
func TestPrioritiesForTheJournalOnly(t *testing.T) {
	t.Parallel()
	for _, toJournal := range []bool{true, false} {
		t.Run(fmt.Sprint(toJournal), func(t *testing.T) {
			t.Parallel()
			a := newActivator(t)
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			info := must[os.FileInfo](t)(w.Stat())
			st := info.Sys().(*syscall.Stat_t)
			stream := fmt.Sprintf("%d:%d", st.Dev, st.Ino)
			if !toJournal {
				stream += "0" // that of somebody who started us, and gave us another stderr
			}
			p := program.Start(t, program.Run{
				Args:  []string{"serve", "--root", a.root, "--tls-cert", a.cert, "--tls-key", a.key, "--log-level", "info"},
				Env:   []string{"JOURNAL_STREAM=" + stream},
				Files: a.files, Listen: true, Names: a.names,
				Stderr: w,
			})
			w.Close()
			c := dial(t, a.http)
			c.get("/")
			c.Close()
			exit(t, endOf(p), 0)
			text := string(must[[]byte](t)(io.ReadAll(r)))
			if !toJournal {
				if strings.Contains(text, "<") {
					t.Errorf("priorities where nobody reads them:\n%s", text)
				}
				return
			}
			for line := range strings.Lines(text) {
				if !regexp.MustCompile(`^<[3-7]> {0,2}\S`).MatchString(line) || regexp.MustCompile(`^<\d>\d{4}-`).MatchString(line) {
					t.Errorf("a line needs its priority, and no time of its own: %s", line)
				}
			}
			says(t, text, "<5>serving ", "<6>GET 200 / ")
		})
	}
}

// Without this the reason why a service did not start would not stand out in the journal.
func TestFailureToTheJournal(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	info := must[os.FileInfo](t)(w.Stat())
	st := info.Sys().(*syscall.Stat_t)
	p := program.Start(t, program.Run{
		Args:   []string{"serve", "--root", "absent", "--host", "127.0.0.1", "--port", "0"},
		Env:    []string{fmt.Sprintf("JOURNAL_STREAM=%d:%d", st.Dev, st.Ino)},
		Stderr: w,
	})
	w.Close()
	exit(t, p, 78)
	if text := string(must[[]byte](t)(io.ReadAll(r))); !strings.HasPrefix(text, "<3>rouse: --root absent") || strings.Count(text, "\n") != 1 {
		t.Errorf("%q", text)
	}
}
