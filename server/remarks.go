package server

import "net/http"

// remarks is what an inner link tells those outside of it about a reply. Response writers of theirs embed it.
type remarks struct {
	quiet     bool   // it is of no interest at level info: health, readiness, metrics
	uncounted bool   // it is not in the metrics
	user      string // who has given the right password
}

func (m *remarks) remarked() *remarks { return m }

// remark changes the remarks on every response writer from w outwards that takes any.
func remark(w http.ResponseWriter, change func(*remarks)) {
	for w != nil {
		if one, ok := w.(interface{ remarked() *remarks }); ok {
			change(one.remarked())
		}
		wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return
		}
		w = wrapper.Unwrap()
	}
}

// quietly keeps a reply out of the log at level info.
func quietly(w http.ResponseWriter) { remark(w, func(m *remarks) { m.quiet = true }) }
