package main

import (
	"net"
	"strings"
	"testing"
	"time"
)

func connectionsRow(clients int, samples ...[]sample) row {
	return row{
		workload: workload{name: "dispatch-new", title: "new", tool: newConnections, clients: clients},
		names:    []string{"direct accept", "direct accept (A/A twin)", inKernel, protocol}, samples: samples,
	}
}

func TestTargets(t *testing.T) {
	const us = time.Microsecond
	direct := sample{cost: 40 * us, client: 40 * us, rate: 10000, p50: 90 * us, attempts: 1000}
	kernel, slow := direct, direct
	kernel.p50 = 91 * us
	slow.cost, slow.p50, slow.lost, slow.reasons = 120*us, 140*us, 10, "10 connection reset by peer"
	r := connectionsRow(1, []sample{direct}, []sample{direct}, []sample{kernel}, []sample{slow})
	var out strings.Builder
	printRow(&out, r, "measured by bench")
	if !printConnectionTargets(&out, []row{r}) || strings.Count(out.String(), "MISSED") != 2 {
		t.Errorf("not the losses and the latency were missed:\n%s", out.String())
	}
	for _, want := range []string{
		"10 of 1000 (1 %)",
		"lost: rouse dispatch, own protocol, round 1: 10 connection reset by peer",
		"socketbox did 7,264/s",
		"target  met     dispatch-new, clients 1, rouse dispatch, kernel: connections/s 1.00 of direct accept's, noise 1.00",
		"target  MISSED  dispatch-new, clients 1, rouse dispatch, own protocol: adds 50 µs, wanted at most 40",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
}

// How many a core does is a question where it has enough to do.
func TestRateIsATargetOfManyClients(t *testing.T) {
	const us = time.Microsecond
	direct := sample{cost: 40 * us, rate: 10000}
	for cost, missed := range map[time.Duration]int{90 * us: 0, 110 * us: 1} {
		r := connectionsRow(8, []sample{direct}, []sample{direct}, []sample{direct}, []sample{{cost: cost, rate: 9000}})
		var out strings.Builder
		if printConnectionTargets(&out, []row{r}) || strings.Count(out.String(), "MISSED") != missed {
			t.Errorf("%s for each:\n%s", cost, out.String())
		}
	}
}

func TestConnectAgainCountsWhatIsLost(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for i := 0; ; i++ {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			switch i % 3 {
			case 0:
				conn.Write([]byte("!"))
			case 1:
				conn.(*net.TCPConn).SetLinger(0) // RST
			}
			conn.Close()
		}
	}()
	r, err := connectAgain(t.Context(), socket{addr: listener.Addr()}, 4, 50*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if r.requests == 0 || r.lost == 0 || r.requests+r.lost != r.attempts || r.p50 <= 0 || r.rate <= 0 || r.client <= 0 {
		t.Errorf("%+v", r)
	}
	if !strings.Contains(r.reasons, "closed without an answer") || !strings.Contains(r.reasons, "connection reset by peer") {
		t.Errorf("reasons %q", r.reasons)
	}
}

func TestConnectAgainSeesThatNobodyListens(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	r, err := connectAgain(t.Context(), socket{addr: listener.Addr()}, 1, 10*time.Millisecond)
	if err != nil || r.requests != 0 || r.lost == 0 || r.lost != r.attempts {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestNamedWorkloadHasAllItsRows(t *testing.T) {
	chosen, err := chooseWorkloads("inetd-new,dispatch-new", false)
	if err != nil || len(chosen) != 7 || chosen[0].clients != 1 || chosen[3].clients != 128 || chosen[6].clients != 64 {
		t.Errorf("%v, %+v", err, chosen)
	}
	if names := strings.Join(workloadNames(), ","); !strings.HasSuffix(names, "run-cold,dispatch-new,inetd-new") {
		t.Error(names)
	}
}
