package wake

import (
	"strings"
	"testing"
)

// FuzzParseMap holds --map to this: what is taken is what was written, cut in two, and an error shows what was written.
func FuzzParseMap(f *testing.F) {
	for _, text := range []string{"8080=web", "[::]:25/tcp=smtp", "53/udp=fd:3", "/run/a=b.sock=app", "@a=x", "=x", "x=", "0=a", "65536=a", "1.2.3.4:80/sctp=a", "[::1%lo]:1=a", "080=a"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := ParseMap(text)
		if err != nil {
			if err.Error() == "" {
				t.Errorf("%q is refused without a word", text)
			}
			return
		}
		if m.Bind+"="+m.Socket != text || m.Socket == "" {
			t.Errorf("%q is %+v", text, m)
		}
		k, err := m.key()
		if err != nil || k.path == "" && k.port == 0 || k.path != "" && !strings.HasPrefix(text, k.path[:1]) {
			t.Errorf("%q is %+v, %v", text, k, err)
		}
	})
}
