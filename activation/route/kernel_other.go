//go:build !linux

package route

import "errors"

// kernel is an engine that only Linux has.
type kernel struct{}

// newKernel tells that there is no such engine here.
func newKernel(Options) (*kernel, error) {
	return nil, errors.New("only Linux chooses among sockets by rules (bpf-sk_lookup): connections are accepted and handed over here")
}

// arrange is for Linux.
func (k *kernel) arrange(*Table, Config, []*front) (own []*front, err error) { return nil, nil }

// adopt is for Linux.
func (k *kernel) adopt(backend string, fd int) (*front, bool) { return nil, false }

// replace is for Linux.
func (k *kernel) replace() (own []*front, err error) { return nil, nil }

// mend is for Linux.
func (k *kernel) mend(*front) error { return nil }

// bypass is for Linux.
func (k *kernel) bypass(*front) {}

// release is for Linux.
func (k *kernel) release(*front) {}

// notices is for Linux.
func (k *kernel) notices() []string { return nil }

// counts is for Linux.
func (k *kernel) counts() map[*Route]uint64 { return nil }

// close is for Linux.
func (k *kernel) close() {}

// inherited is for Linux.
func (k *kernel) inherited() bool { return false }

// forget is for Linux.
func (k *kernel) forget() {}

// unpin is for Linux.
func (k *kernel) unpin() error { return nil }
