package main

import (
	"context"
	"net/http"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func servePage(t *testing.T, content []byte) socket {
	return testServer(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(content) }))
}

// used is a server's clock that goes on by a second each time.
func ticking() func() (time.Duration, error) {
	now := time.Duration(0)
	return func() (time.Duration, error) {
		now += time.Second
		return now, nil
	}
}

func TestKeepAsking(t *testing.T) {
	at := servePage(t, page(1024))
	for _, clients := range []int{1, 250} {
		w := workload{path: "/", clients: clients}
		got, err := keepAsking(t.Context(), at, w, 50*time.Millisecond, ticking())
		if err != nil || got.requests == 0 || got.bytes < 1024*got.requests || got.rate <= 0 || got.p50 <= 0 || got.server != time.Second {
			t.Errorf("%d clients: %+v, %v", clients, got, err)
		}
	}
}

func TestKeepAskingSeesErrors(t *testing.T) {
	w := workload{path: "/", clients: 1}
	if got, err := keepAsking(t.Context(), testServer(t, http.NotFoundHandler()), w, time.Millisecond, ticking()); err == nil {
		t.Errorf("%+v", got)
	}
}

func TestReadSteadily(t *testing.T) {
	at := servePage(t, page(3<<20))
	got, err := readSteadily(t.Context(), at, workload{path: "/", clients: 2}, 50*time.Millisecond, ticking())
	if err != nil || got.requests == 0 || got.rate <= 0 || got.server != time.Second {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := readSteadily(t.Context(), testServer(t, http.NotFoundHandler()), workload{path: "/", clients: 1}, time.Second, ticking()); err == nil {
		t.Errorf("%+v", got)
	}
}

func TestDeferAccept(t *testing.T) {
	at, err := listen(context.Background(), deferred)
	if err != nil {
		t.Fatal(err)
	}
	defer at.file.Close()
	for _, yes := range []bool{true, false} {
		if err := at.deferAccept(yes); err != nil {
			t.Fatal(err)
		}
		seconds, err := unix.GetsockoptInt(int(at.file.Fd()), unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT)
		if err != nil || (seconds > 0) != yes {
			t.Errorf("%v: %d s, %v", yes, seconds, err)
		}
	}
}

func TestControlGroupOfACPUController(t *testing.T) {
	for _, test := range []struct {
		own, want string
		second    bool
	}{
		{"9:name=systemd:/\n2:cpu,cpuacct:/a\n0::/\n", "/sys/fs/cgroup/cpu,cpuacct/a", false},
		{"1:cpu:/\n", "/sys/fs/cgroup/cpu", false},
		{"0::/user.slice\n", "/sys/fs/cgroup/user.slice", true},
		{"4:memory:/\n", "", true},
	} {
		got, second := cpuGroup(test.own)
		if got != test.want || second != test.second {
			t.Errorf("%q: %q, version 2 %v", test.own, got, second)
		}
	}
}
