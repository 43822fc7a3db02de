package server

import (
	"context"
	"net"
	"net/http"
	"net/netip"

	"github.com/rouse-server/rouse/server/forwarded"
)

type clientKey struct{}

// identified finds out whose request it is: that of the peer, or of whom trusted proxies tell.
func identified(trusted Networks) link {
	proxies := forwarded.Trusted(trusted)
	return func(next http.Handler) http.Handler {
		if len(proxies) == 0 {
			return next // the client is the peer
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			client := proxies.Client(peerOf(r), r.Header)
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), clientKey{}, client)))
		})
	}
}

// clientOf is the address of whoever sent the request, behind trusted proxies. It is invalid for the peer of a unix socket of
// whom nothing is known.
func clientOf(r *http.Request) netip.Addr {
	if client, ok := r.Context().Value(clientKey{}).(netip.Addr); ok {
		return client
	}
	return peerOf(r)
}

// peerOf is the address of whoever the request's connection is with, or of the client that its PROXY header names.
func peerOf(r *http.Request) netip.Addr {
	c := connectionOf(r)
	if c == nil {
		return netip.Addr{}
	}
	return addressOf(c.RemoteAddr())
}

// addressOf is the IP address alone; invalid for a unix socket's.
func addressOf(a net.Addr) netip.Addr {
	if a, ok := a.(interface{ AddrPort() netip.AddrPort }); ok {
		return a.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}
