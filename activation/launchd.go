package activation

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
)

// usualKeys are the keys under Sockets that are tried when none is named: Homebrew's, in its new and its old spelling
// (homebrew-core#256964), and the roles.
func usualKeys() []string { return []string{"listeners", "Listeners", "https", "http"} }

// launchdSockets returns the sockets of one key, or of all the usual ones that exist. launchd hands them out once per
// process, so they are remembered.
func (o *Opener) launchdSockets(a Address) ([]Descriptor, error) {
	if a.Detail != "" {
		return o.launchdKey(a.Detail)
	}
	var all []Descriptor
	var first error
	for _, key := range usualKeys() {
		descriptors, err := o.launchdKey(key)
		if err != nil && !absent(err) {
			return nil, err
		}
		if first == nil {
			first = err
		}
		all = append(all, descriptors...)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no sockets under %s: %w", strings.Join(usualKeys(), ", "), first)
	}
	return all, nil
}

func (o *Opener) launchdKey(key string) ([]Descriptor, error) {
	if known, ok := o.launched[key]; ok {
		return known, nil
	}
	numbers, err := o.launchd(key)
	if err != nil {
		return nil, err
	}
	descriptors := make([]Descriptor, len(numbers))
	for i, n := range numbers {
		descriptors[i] = Descriptor{Number: n, Name: key, Source: "launchd:" + key}
	}
	o.launched[key] = descriptors
	return descriptors, nil
}

// absent tells whether the error means that there is nothing to be had from launchd: another system, another parent, no
// such key.
func absent(err error) bool {
	return errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.ESRCH) || errors.Is(err, syscall.ENOENT)
}
