//go:build !linux

package inetd

import "errors"

// watcher: processes are waited for on threads.
type watcher struct{}

func newWatcher() (*watcher, error) { return &watcher{}, nil }

func (*watcher) close() {}

func (*watcher) watch(int, func()) error { return errors.ErrUnsupported }
