package forwarded

import (
	"net/http"
	"net/netip"
	"testing"
)

// Whatever a client sends, a proxy that appends what it saw is believed and the client cannot hide behind another address.
func FuzzForwarded(f *testing.F) {
	for _, seed := range []string{
		"", "192.0.2.1", "192.0.2.1, 10.0.0.1", `for=192.0.2.1`, `for="[2001:db8::1]:80";proto=https`, `for="`, `for="\`, `"`, `\"`, `,,`, `for=a;for=b`,
		`for="a,b", for=_x`, `[::1`, `[::1]:_p`, "unknown", `host="\\\"";for=10.0.0.1`,
	} {
		f.Add(seed)
	}
	peer, saw := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("2001:db8::9")
	f.Fuzz(func(t *testing.T, claim string) {
		for name, appended := range map[string]string{
			"X-Forwarded-For": saw.String(),
			"Forwarded":       `for="[` + saw.String() + `]:80";proto="a,\"b;"`,
		} {
			alone := http.Header{name: {claim}}
			if told := proxies.Client(peer, alone); !told.IsValid() || told.Zone() != "" || told.Is4In6() {
				t.Errorf("%s: %q makes the client %s", name, claim, told)
			}
			for _, h := range []http.Header{{name: {claim + ", " + appended}}, {name: {claim, appended}}} {
				if got := proxies.Client(peer, h); got != saw {
					t.Errorf("%s: %q makes the client %s, and not %s", name, h[name], got, saw)
				}
			}
			if got := proxies.Client(saw, alone); got != saw {
				t.Errorf("%s: %q of a client that is not trusted makes it %s", name, claim, got)
			}
		}
	})
}
