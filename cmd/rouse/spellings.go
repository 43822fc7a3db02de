package main

import (
	"strconv"
	"strings"
)

// adopt ends a layer: it carries what was given in another spelling over to the option that it means, and notes as what
// every option was given. Within one layer, spellings of one option must say the same.
func (s *settings) adopt(l *layer) {
	for _, o := range s.options() {
		as := l.given[o.name()]
		if o.means == "" || as == "" {
			continue
		}
		name, opposite := strings.CutPrefix(o.means, "!")
		target, value := s.option(name), o.written()
		relation := "are two spellings of one option, and say different things"
		if opposite {
			value = strconv.FormatBool(!o.field.Bool())
			relation = "are one option in opposite senses, and contradict each other"
		}
		if other := l.given[name]; other != "" && target.written() != value {
			l.problems = append(l.problems, s.conflict("%s and %s "+relation+": leave one out", as, other))
			continue
		}
		target.set(value)
		l.given[name] = as
	}
	s.settleHTTP2(l)
	for name, as := range l.given {
		s.given[name] = as
	}
}

// settleHTTP2 lets a layer turn TLS off that another one beneath it turned on in static-web-server 2's spelling, where
// http2 means TLS: as http2, or as SERVER_HTTP2_TLS.
func (s *settings) settleHTTP2(l *layer) {
	switch {
	case l.given["tls"] != "" && !s.TLS && l.given["http2"] == "" && s.given["http2"] != "":
		s.Http2 = false
	case l.given["http2"] != "" && !s.Http2 && l.given["tls"] == "" && s.given["tls"] == "SERVER_HTTP2_TLS":
		s.TLS, l.given["tls"] = false, l.given["http2"]
	}
}

// conflict is an error about options given as a and b. Flags alone are a wrong command line.
func (s *settings) conflict(format, a, b string) error {
	if isFlag(a) && isFlag(b) {
		return usage(format, a, b)
	}
	return config(format, a, b)
}

// isFlag tells whether an option that was given as that was a flag.
func isFlag(as string) bool { return strings.HasPrefix(as, "-") }

// inFile takes apart what an option of the file was given as: "sws.toml:3: port" stands at sws.toml:3 and is named port.
// For flags and variables, place is empty and name is all of it.
func inFile(as string) (place, name string) {
	if i := strings.LastIndex(as, ": "); i >= 0 {
		return as[:i], as[i+2:]
	}
	return "", as
}
