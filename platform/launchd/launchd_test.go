package launchd

import (
	"errors"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// A test process is not started by launchd, so the answer is no everywhere; on macOS it comes from launchd itself.
func TestSocketsOutsideLaunchd(t *testing.T) {
	descriptors, err := Sockets("rouse-test-no-such-socket")
	if err == nil || descriptors != nil {
		t.Fatalf("got descriptors %v, error %v", descriptors, err)
	}
	if runtime.GOOS == "darwin" {
		if !errors.Is(err, syscall.ESRCH) && !errors.Is(err, syscall.ENOENT) {
			t.Errorf("error %v wraps neither ESRCH nor ENOENT", err)
		}
		return
	}
	if !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("error %v does not wrap errors.ErrUnsupported", err)
	}
	if !strings.Contains(err.Error(), "macOS") {
		t.Errorf("error %v does not say where launchd is", err)
	}
}
