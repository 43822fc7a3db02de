// Package reply keeps replies of the handler chain, rendered for HTTP/1.1 or HTTP/2, so that they can be sent again.
//
// The chain answers into a [Recording]. What it marks as repeatable ([Mark]) is kept in a [Cache] by the request fields that
// the reply's Vary names, and held against the chain again each time that the reply's life is over: the chain then runs as
// for any request, but for the body when it tells by the mark that it is the same.
package reply

import "net/http"

// Reply is a rendered reply. It does not change.
type Reply struct {
	Status int
	Host   string // of the request, for counting
	Close  bool   // the chain said Connection: close
	Dated  bool   // HTTP/1.1: Head has the chain's own Date
	Head   []byte // HTTP/1.1: status line and fields before Date. HTTP/2: a header block without date (RFC 7541), which neither uses nor changes the dynamic table
	Tail   []byte // HTTP/1.1: the fields that follow Date, without the empty line
	Body   []byte // empty for HEAD, 304 and the like

	kept
}

// AppendHTTP1 appends the whole reply as net/http writes it. date is "Date: …\r\n"; close adds Connection: close.
func (r *Reply) AppendHTTP1(b, date []byte, close bool) []byte {
	b = append(b, r.Head...)
	if !r.Dated {
		b = append(b, date...)
	}
	b = append(b, r.Tail...)
	if close && !r.Close {
		b = append(b, "Connection: close\r\n"...)
	}
	b = append(b, "\r\n"...)
	return append(b, r.Body...)
}

// Render renders a reply that is not kept, as a Recording does. header may have the length of a body that is sent elsewhere.
func Render(r *Request, status int, header http.Header, body []byte) *Reply {
	var short [1024]byte
	var few [32]string
	d := drawing{scope: r.Scope, head: r.Head, close: r.Close, status: status, b: short[:0]}
	d.begin(header, sortedNames(few[:0], header))
	d.end(body, int64(len(body)))
	if r.Head || !bodyAllowed(status) {
		body = nil
	}
	return d.reply(string(r.Host), body)
}

// Mark says to the Recording behind w, if there is one, that the reply which is about to be sent may be sent again. Call it
// before WriteHeader, and do not change the header after that. variant identifies the body: two replies with the same variant,
// which is comparable, have the same bytes; nil: the bytes are to be compared. It reports whether the body is known already,
// and need not be written.
func Mark(w http.ResponseWriter, variant any) (known bool) {
	recording := Behind(w)
	if recording == nil {
		return false
	}
	_, known = recording.Mark(variant)
	return known
}

// Forbid says to the Recording behind w, if there is one, that this reply is not to be kept, whoever marks it.
func Forbid(w http.ResponseWriter) {
	if recording := Behind(w); recording != nil {
		recording.forbidden = true
	}
}

// Decline says to the Recording behind w, if there is one, that what follows is long or has no known length: it goes to the
// stream from the beginning, or the stream's method Refuse is called. Listings and encoders that stream call it before they do
// anything costly.
func Decline(w http.ResponseWriter) {
	recording := Behind(w)
	if recording == nil {
		return
	}
	recording.forbidden, recording.declined = true, true
	if stream, ok := recording.stream.(interface{ Refuse() }); ok {
		stream.Refuse()
	}
}

// Behind returns the Recording that w writes to, nil if there is none. It looks where http.ResponseController does.
func Behind(w http.ResponseWriter) *Recording {
	for {
		if recording, ok := w.(*Recording); ok {
			return recording
		}
		wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return nil
		}
		w = wrapper.Unwrap()
	}
}
