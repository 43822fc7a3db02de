package server

import (
	"net/http"

	"github.com/rouse-server/rouse/server/errorpage"
)

// allowed are the methods of every resource here.
const allowed = "GET, HEAD, OPTIONS"

// checkMethod answers 405 for all methods but GET, HEAD and OPTIONS.
func checkMethod(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodGet, http.MethodHead, http.MethodOptions:
			next.ServeHTTP(w, r)
		default:
			w.Header().Set("Allow", allowed) // RFC 9110 §15.5.6
			errorpage.Write(w, r, http.StatusMethodNotAllowed)
		}
	})
}

// reads tells whether the request asks for what is there.
func reads(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }
