package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"reflect"
	"slices"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/server"
)

// reload reads the options, the files that they name and the certificates again. What is broken is refused, and the old one
// kept.
func (s *site) reload(manager activation.Manager) {
	manager.Reloading()
	again, notices, err := loadServe(s.console)
	if err == nil {
		s.reloadCertificates(again)
		err = s.reloadOptions(again, notices)
	} else {
		err = s.sinceStart(err)
		s.reloadCertificates(s.settings)
	}
	if err != nil {
		s.log.Error("the options were not loaded again, the old ones are kept", "err", err)
	} else {
		notice(s.log, "reloaded; serving "+s.showing)
	}
	manager.Ready(s.status())
}

// reloadOptions serves what the options say now. Those of sockets and time limits hold from the next start on.
func (s *site) reloadOptions(again *settings, notices []string) error {
	again.suitPeople(s.opened.bare)
	if err := s.reachable(again); err != nil {
		return err
	}
	made, err := again.makeContent(s)
	if err != nil {
		return s.sinceStart(err) // a root that was mounted anew is another folder to Landlock
	}
	if err := s.logs.Reload(again); err != nil {
		return s.sinceStart(err)
	}
	for _, text := range slices.Concat(notices, again.substitutes(), s.settings.needsRestart(again)) {
		notice(s.log, text)
	}
	again.tellOverridden(s.log)
	s.showing = made.showing
	s.server.Use(made.site)
	return nil
}

// needsRestart tells which options were changed that hold from the next start on.
func (s *settings) needsRestart(again *settings) (notices []string) {
	config := reflect.TypeFor[server.Config]()
	for i := range config.NumField() {
		tag := config.Field(i).Tag
		if tag.Get("restart") == "" {
			continue
		}
		before, after := s.option(tag.Get("flag")).written(), again.option(tag.Get("flag")).written()
		if before != after {
			notices = append(notices, fmt.Sprintf("%s is %s from the next restart on; now it is %s", tag.Get("flag"), after, before))
		}
	}
	return notices
}

// reloadCertificates gives new handshakes what the options name now. The development certificate stays.
func (s *site) reloadCertificates(again *settings) {
	if s.certificate.store == nil || s.certificate.origin == "development" && again.TLSCert == "" {
		return
	}
	renewed, err := again.certificateFor(s.sockets)
	switch {
	case err != nil:
		s.log.Error("the certificate was not loaded again, the old one is kept", "err", s.sinceStart(err))
		return
	case renewed.origin == "credentials" && renewed.same(s.certificate):
		notice(s.log, "reloaded; the certificate is the same: systemd hands out new credentials at a restart, and at a reload only since version 260 with RefreshOnReload=credentials")
		return
	}
	s.useCertificates(renewed)
	for _, one := range renewed.all() {
		notice(s.log, "reloaded; "+one.describe())
	}
}

// useCertificates gives new handshakes these certificates, and takes up new files of theirs by itself.
func (s *site) useCertificates(c credential) {
	if s.unwatch != nil {
		s.unwatch()
	}
	s.certificate = c
	s.handshakes.Store(&c)
	ctx, cancel := context.WithCancel(context.Background())
	s.unwatch = cancel
	for _, one := range c.all() {
		go one.store.Watch(ctx, certificateLook, func(_ *x509.Certificate, err error) {
			if err != nil {
				s.log.Error("the changed certificate files cannot be used, the old certificate is kept", "err", s.sinceStart(err))
				return
			}
			notice(s.log, "the certificate files changed; "+one.describe())
		})
	}
}
