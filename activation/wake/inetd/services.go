package inetd

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/rouse-server/rouse/activation"
)

// Entry is a line of inetd.conf(5).
type Entry struct {
	File      string
	Line      int                  // where it begins
	Addresses []activation.Address // where its clients arrive; more than one where several hosts are named
	Service   Service
}

// ReadServices reads a file in the syntax of inetd.conf(5), as the inetds of OpenBSD, NetBSD, FreeBSD and GNU have it:
//
//	[HOST,…:]SERVICE  TYPE  PROTOCOL  wait|nowait[LIMITS]  USER[:GROUP]  PROGRAM  [NAME [ARGUMENT…]]
//
// SERVICE is a name of services(5), a port, or the path of a unix socket. TYPE is stream or dgram, PROTOCOL tcp and udp (IPv4, as
// everywhere but here), tcp4, tcp6, tcp46, udp4, udp6, udp46 or unix. LIMITS are .N or :N, starts within a minute, or FreeBSD's
// /N, processes at once, /N, connections of one client within a minute, and /N, processes of one client. A line that begins with
// a space continues the one before. A line HOST: says which host those below it without one have, *: all.
//
// The error has a line for each problem, FILE:LINE: token: reason; the notices tell what is understood and has no effect here.
func ReadServices(path string) (entries []Entry, notices []string, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: name the file of services", err)
	}
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("-----BEGIN ")) { // its lines are not shown: they may be a private key
		return nil, nil, fmt.Errorf("%s: it is a PEM file, as certificates and keys are, and not one of services; name another", path)
	}
	return parseServices(path, string(text))
}

// mostProblems is how many are told of one file.
const mostProblems = 20

func parseServices(file, text string) (entries []Entry, notices []string, err error) {
	r := &serviceReader{file: file}
	for _, l := range joinLines(text) {
		r.line = l.number
		r.read(l.text)
	}
	r.duplicates()
	if len(r.problems) > mostProblems {
		more := len(r.problems) - mostProblems
		r.problems = append(r.problems[:mostProblems], fmt.Errorf("… and %d more", more))
	}
	if len(r.problems) > 0 {
		return nil, r.notices, errors.Join(r.problems...)
	}
	return r.entries, r.notices, nil
}

// duplicates finds lines that want the same socket.
func (r *serviceReader) duplicates() {
	first := map[string]int{}
	for _, e := range r.entries {
		for _, a := range e.Addresses {
			r.line = e.Line
			if line, ok := first[a.String()]; ok {
				r.problem(a.String(), "line %d has it already: leave one out", line)
			} else {
				first[a.String()] = e.Line
			}
		}
	}
}

// serviceLine is a line with those that continue it.
type serviceLine struct {
	number int
	text   string
}

// joinLines puts what is continued behind what it continues, and leaves empty lines and comments out. A comment between the two
// does not part them.
func joinLines(text string) []serviceLine {
	var lines []serviceLine
	open := false // the line before can be continued
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimRight(line, "\r")
		rest := strings.TrimLeft(line, " \t")
		switch {
		case strings.HasPrefix(rest, "#@"): // NetBSD's and KAME's rules for IPsec
			lines, open = append(lines, serviceLine{i + 1, rest}), false
		case strings.HasPrefix(rest, "#"):
		case rest == "":
			open = false
		case rest != line && open:
			lines[len(lines)-1].text += " " + rest
		default:
			lines, open = append(lines, serviceLine{i + 1, rest}), true
		}
	}
	return lines
}

// serviceReader reads one file.
type serviceReader struct {
	file     string
	line     int
	host     string // of lines that name none; empty: all
	entries  []Entry
	notices  []string
	problems []error
	ipsec    bool // was told
}

func (r *serviceReader) problem(token, format string, a ...any) {
	r.problems = append(r.problems, fmt.Errorf("%s:%d: %s: %s", r.file, r.line, shown(token), fmt.Sprintf(format, a...)))
}

func (r *serviceReader) notice(token, format string, a ...any) {
	r.notices = append(r.notices, fmt.Sprintf("%s:%d: %s: %s", r.file, r.line, shown(token), fmt.Sprintf(format, a...)))
}

// shown is a word of the file as it stands in messages.
func shown(token string) string {
	if token == "" {
		return `""`
	}
	if len(token) > 60 {
		token = token[:60] + "…"
	}
	return printable([]byte(strings.ToValidUTF8(token, "?")))
}

// read reads a line.
func (r *serviceReader) read(text string) {
	if strings.HasPrefix(text, "#@") {
		if !r.ipsec {
			r.notice("#@", "rules for IPsec have no effect here: set them in the system's own policy")
			r.ipsec = true
		}
		return
	}
	words, err := splitWords(text)
	if err != nil {
		r.problem(words[len(words)-1], "%v", err)
		return
	}
	if host, ok := strings.CutSuffix(words[0], ":"); ok && len(words) == 1 {
		r.defaultHost(host)
		return
	}
	names := []string{"a type (stream or dgram)", "a protocol (tcp, udp, unix …)", "wait or nowait", "a user", "a program"}
	if len(words) < 6 {
		r.problem(words[len(words)-1], "%s is missing behind it: write SERVICE TYPE PROTOCOL wait|nowait USER PROGRAM NAME ARGUMENTS", names[len(words)-1])
		return
	}
	before := len(r.problems)
	e := Entry{File: r.file, Line: r.line}
	network := r.network(words[1], words[2])
	e.Service.Wait = r.waiting(words[3], words[1], &e.Service)
	r.owner(words[4], &e.Service)
	r.program(words[5:], &e.Service)
	e.Service.Name = words[0]
	if network != "" {
		e.Addresses = r.addresses(words[0], network, words[4])
	}
	if len(r.problems) == before {
		r.entries = append(r.entries, e)
	}
}

// defaultHost is a line that only names a host.
func (r *serviceReader) defaultHost(host string) {
	if host == "*" {
		host = ""
	} else if _, err := hosts(host); err != nil {
		r.problem(host+":", "%v", err)
		return
	}
	r.host = host
}

// splitWords splits a line at its spaces. A word that begins with a quotation mark goes on to the next of its kind. On error the
// last word is the wrong one.
func splitWords(text string) (words []string, err error) {
	for {
		if text = strings.TrimLeft(text, " \t"); text == "" {
			return words, nil
		}
		if mark := text[0]; mark == '"' || mark == '\'' {
			end := strings.IndexByte(text[1:], mark)
			if end < 0 {
				return append(words, text), errors.New("the quotation mark is not closed")
			}
			words, text = append(words, text[1:1+end]), text[2+end:]
			continue
		}
		end := strings.IndexAny(text, " \t")
		if end < 0 {
			end = len(text)
		}
		words, text = append(words, text[:end]), text[end:]
	}
}
