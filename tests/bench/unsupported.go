//go:build !linux

package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"time"
)

// supported: CPUs to hold processes to and CPU clocks of other processes are had from Linux alone.
func supported() error {
	return fmt.Errorf("measuring servers on %s: %w; run bench on Linux", runtime.GOOS, errors.ErrUnsupported)
}

type process struct {
	pid, group int
	zombie     bool
}

func processTree(int) ([]process, error)                 { return nil, supported() }
func treeCPU(int) (time.Duration, error)                 { return 0, supported() }
func allowedProcessors() ([]int, error)                  { return nil, supported() }
func prepareProcess([]int) error                         { return supported() }
func launch([]string) error                              { return supported() }
func awaitAnswer(context.Context, *server, socket) error { return supported() }
func connectAgain(context.Context, socket, int, time.Duration) (loadResult, error) {
	return loadResult{}, supported()
}
func keepAsking(context.Context, socket, workload, time.Duration, func() (time.Duration, error)) (loadResult, error) {
	return loadResult{}, supported()
}

type quota struct{}

func newQuota() (quota, error)      { return quota{}, supported() }
func (quota) hold(*server) error    { return nil }
func (quota) release(*server) error { return nil }
func (quota) remove()               {}
func (quota) String() string        { return "" }

func (s socket) deferAccept(bool) error { return supported() }
func descriptorLimit() uint64           { return 0 }
func answer([]string) error             { return supported() }
func canIsolate() error                 { return supported() }
func isolated(func() error) error       { return supported() }
func monotonic() time.Duration          { return 0 }
func ownSession() *syscall.SysProcAttr  { return &syscall.SysProcAttr{Setsid: true} }
