package route

import "testing"

// What holds with the hand-over engine holds with the kernel's.
func TestWithTheKernelEngine(t *testing.T) {
	if _, inside := ownNetwork(t); !inside {
		return
	}
	t.Setenv("ROUTE_TEST_ENGINE", "kernel")
	for name, test := range map[string]func(*testing.T){
		"Dispatch": TestDispatch, "NobodyThere": TestNobodyThere,
		"NoCredit": TestNoCredit, "SlowBackend": TestSlowBackend,
		"KilledProcess": TestKilledProcess, "Reload": TestReload, "ReloadWithClientsWaiting": TestReloadWithClientsWaiting,
		"End": TestEnd, "Descriptors": TestDescriptors, "Names": TestNames, "Relayed": TestRelayed, "ListenerGiven": TestListenerGiven,
	} {
		t.Run(name, test)
	}
}
