package accept

import (
	"net/http"
	"testing"
)

func TestAddVary(t *testing.T) {
	for _, c := range []struct {
		before []string
		want   string
	}{
		{nil, "accept"},
		{[]string{"origin"}, "origin, accept"},
		{[]string{"origin", "x-a, x-b"}, "origin, x-a, x-b, accept"},
		{[]string{"Origin, Accept"}, "Origin, Accept"},
		{[]string{"*"}, "*"},
	} {
		header := http.Header{"Vary": c.before}
		if AddVary(header, "accept"); header["Vary"][0] != c.want && header.Get("Vary") != c.want {
			t.Errorf("%q: %q", c.before, header["Vary"])
		}
	}
}
