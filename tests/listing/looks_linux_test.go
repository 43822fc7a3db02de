package listing

import (
	"bytes"
	"fmt"
	"image/png"
	"os"
	"strings"
	"testing"
)

// Phones, small phones and desktops.
var windows = [...][2]int{{320, 640}, {390, 844}, {1280, 800}}

// Nobody should have to scroll sideways, or be blinded at night.
func TestLooks(t *testing.T) {
	t.Parallel()
	files := many(200)
	for name, content := range guide() {
		files[name] = content
	}
	s := newSite(t, files)
	p := newBrowser(t).page()
	for name, path := range map[string]string{"listing": "/guide/", "long": "/many/?sort=1", "search": "/guide/?search=md", "error": "/nothing"} {
		for _, window := range windows {
			for _, scheme := range []string{"light", "dark"} {
				p.look(window[0], window[1], scheme)
				p.open(s.url + path)
				p.is(`document.documentElement.scrollWidth <= document.documentElement.clientWidth`, true)
				look := fmt.Sprintf("%s-%d-%s", name, window[0], scheme)
				if got := brightness(t, p.picture(look)); scheme == "dark" && got > 0x40 || scheme == "light" && got < 0xe0 {
					t.Errorf("%s has the brightness %#x", look, got)
				}
			}
		}
	}
}

// brightness is that of a picture's first pixel, from 0 to 255: the page's ground.
func brightness(t *testing.T, picture []byte) uint32 {
	t.Helper()
	decoded, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	r, g, b, _ := decoded.At(0, 0).RGBA()
	return (r + g + b) / 3 >> 8
}

// A screen reader and a keyboard have to find what eyes find.
func TestAccessible(t *testing.T) {
	t.Parallel()
	s := newSite(t, guide())
	p := newBrowser(t).page()
	p.open(s.url + "/guide/images/?search=x")
	p.is(`document.documentElement.lang`, "en")
	var tree struct {
		Nodes []struct {
			Ignored    bool
			Role, Name struct{ Value any }
		}
	}
	p.call(p.session, "Accessibility.getFullAXTree", object{}, &tree)
	seen := map[string]int{}
	for _, node := range tree.Nodes {
		if !node.Ignored {
			seen[fmt.Sprint(node.Role.Value)]++
			seen[fmt.Sprint(node.Role.Value, " ", node.Name.Value)]++
		}
	}
	for what, want := range map[string]int{
		"heading Index of /guide/images/": 1, "searchbox Search this folder": 1, "search ": 1, "navigation Folders above": 1, "main ": 1,
		"table": 1, "columnheader": 3, "rowheader": 2, "rowheader x.png": 1, "row": 3, "link x.png": 1, "link show all": 1, "status": 1,
	} {
		if seen[what] != want {
			t.Errorf("%d of %q, want %d; there are %v", seen[what], what, want, seen)
		}
	}
}

// An error page comes with whatever policy the site has, so it has nothing that one could forbid.
func TestErrorPageUnderAStrictPolicy(t *testing.T) {
	t.Parallel()
	options := t.TempDir() + "/rouse.toml"
	if err := os.WriteFile(options, []byte("[[advanced.headers]]\nsource = \"**\"\nheaders = { Content-Security-Policy = \"default-src 'self'\" }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := newSite(t, map[string]string{"favicon.ico": ""}, "--config-file", options)
	if got := fetch(t, s.url+"/nothing").header.Get("Content-Security-Policy"); got != "default-src 'self'" {
		t.Fatalf("the policy is %q", got)
	}
	p := newBrowser(t).page()
	p.open(s.url + "/nothing")
	p.is(`document.title + ', ' + document.querySelector('h1').textContent`, "404 Not Found, 404 Not Found")
	p.console.Lock()
	defer p.console.Unlock()
	for _, line := range p.console.lines {
		if !strings.Contains(line, "404 (Not Found)") { // which the browser says of every such page
			t.Error(line)
		}
	}
}
