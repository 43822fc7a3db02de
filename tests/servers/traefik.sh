#!/bin/bash
# traefik.sh - build Traefik from its module's source, and print the program's path.
#
# Debian has no package of it. What does not come with the module, or is not asked for here, is replaced: the web UI is an
# empty page, and neither are certificates fetched (ACME) nor passwords checked. How Traefik listens and serves is
# untouched. The program stays in the user's cache, one for each version of it and of this script; the first build takes minutes.
set -euo pipefail

version=v3.7.13
module=github.com/traefik/traefik/v3
cache=${XDG_CACHE_HOME:-${HOME:-/var/tmp}/.cache}/rouse-tests
program=$cache/traefik-$version-$(cksum <"$0" | cut -d" " -f1)
if [ ! -x "$program" ]; then
  mkdir -p "$cache"
  work=$(mktemp -d "$cache/building.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  cd "$work"
  printf 'module scratch\n\ngo 1.26\n' >go.mod
  source=$(go mod download -json "$module@$version" | sed -n 's/.*"Dir": "\(.*\)",/\1/p')
  cp -r "$source" traefik
  chmod -R u+w traefik
  cd traefik
  rm -rf pkg/provider/acme/*
  cat >pkg/provider/acme/acme.go <<'GO'
// Package acme has what the rest of Traefik refers to, and gets no certificates.
package acme

import (
	"context"
	"net/http"
	"time"

	"github.com/go-acme/lego/v5/challenge"
	"github.com/traefik/traefik/v3/pkg/config/dynamic"
	"github.com/traefik/traefik/v3/pkg/safe"
	traefiktls "github.com/traefik/traefik/v3/pkg/tls"
)

type Configuration struct {
	Storage       string
	CAServer      string
	DNSChallenge  *DNSChallenge
	HTTPChallenge *HTTPChallenge
	TLSChallenge  *TLSChallenge
}

type (
	Propagation  struct{ DelayBeforeChecks time.Duration; DisableChecks bool }
	DNSChallenge struct {
		Provider                string
		DelayBeforeCheck        time.Duration
		DisablePropagationCheck bool
		Propagation             *Propagation
	}
	HTTPChallenge struct{ EntryPoint string }
	TLSChallenge  struct{}
	LocalStore    struct{}
)

type Provider struct {
	*Configuration
	Store                                       *LocalStore
	ResolverName                                string
	HTTPChallengeProvider, TLSChallengeProvider challenge.Provider
}

func NewLocalStore(string, *safe.Pool) *LocalStore                          { return nil }
func (*Provider) Init() error                                               { return nil }
func (*Provider) Provide(chan<- dynamic.Message, *safe.Pool) error          { return nil }
func (*Provider) ListenConfiguration(dynamic.Configuration)                 {}
func (*Provider) SetTLSManager(*traefiktls.Manager)                         {}
func (*Provider) SetConfigListenerChan(chan dynamic.Configuration)          {}
func (*Provider) ThrottleDuration() time.Duration                           { return 0 }

type ChallengeHTTP struct{ None }
type ChallengeTLSALPN struct{ None }
type None struct{}

func NewChallengeHTTP() *ChallengeHTTP                                      { return new(ChallengeHTTP) }
func NewChallengeTLSALPN() *ChallengeTLSALPN                                { return new(ChallengeTLSALPN) }
func (None) Present(context.Context, string, string, string) error          { return nil }
func (None) CleanUp(context.Context, string, string, string) error          { return nil }
func (None) ServeHTTP(http.ResponseWriter, *http.Request)                   {}
func (None) Init() error                                                    { return nil }
func (None) ThrottleDuration() time.Duration                                { return 0 }
func (None) Provide(chan<- dynamic.Message, *safe.Pool) error               { return nil }
func (None) ListenConfiguration(dynamic.Configuration)                      {}
GO
  lego=$work/lego
  mkdir -p "$lego"/{challenge/dns01,challenge/tlsalpn01,log} webui/static pkg/config/dynamic/ext
  echo 'module github.com/go-acme/lego/v5' >"$lego/go.mod"
  cat >"$lego/challenge/challenge.go" <<'GO'
package challenge

import "context"

type Provider interface {
	Present(ctx context.Context, domain, token, keyAuth string) error
	CleanUp(ctx context.Context, domain, token, keyAuth string) error
}
GO
  printf 'package dns01\n\nimport "strings"\n\nfunc UnFqdn(name string) string { return strings.TrimSuffix(name, ".") }\n' >"$lego/challenge/dns01/dns01.go"
  printf 'package tlsalpn01\n\nconst ACMETLS1Protocol = "acme-tls/1"\n' >"$lego/challenge/tlsalpn01/tlsalpn01.go"
  printf 'package log\n\nimport "log/slog"\n\nfunc SetDefault(*slog.Logger) {}\n' >"$lego/log/log.go"
  echo '<h1>Traefik</h1>' >webui/static/index.html
  printf 'module github.com/traefik/traefik/dynamic/ext\n' >pkg/config/dynamic/ext/go.mod
  printf 'package ext\n\ntype HTTP struct{}\n\ntype Router struct{}\n\ntype Middleware struct{}\n' >pkg/config/dynamic/ext/ext.go
  # Passwords need a fork of a library: here there are none.
  sed -i 's/goauth.CheckSecret/func(_, _ string) bool { return false }/; s/RequireAuthStale/RequireAuth/' pkg/middlewares/auth/*_auth.go
  go mod edit -replace=github.com/go-acme/lego/v5="$lego" -replace=github.com/abbot/go-http-auth=github.com/abbot/go-http-auth@v0.4.0
  CGO_ENABLED=0 GOFLAGS=-buildvcs=false nice go build -mod=mod -trimpath -ldflags="-s -w -X $module/pkg/version.Version=${version#v}" -o "$work/program" ./cmd/traefik >&2
  mv "$work/program" "$program"
fi
echo "$program"
