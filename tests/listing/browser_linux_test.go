package listing

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const (
	minutes = "Minutes of the extraordinary general meeting of the friends of socket activation, second draft.odt"
	endless = "a-name-without-any-place-to-break-it-0123456789abcdef0123456789abcdef0123456789abcdef0123456789.log"
)

// Without this a listing could look right in the source and be broken in the browser, by its own policy for one.
func TestListingInABrowser(t *testing.T) {
	t.Parallel()
	s := newSite(t, guide())
	p := newBrowser(t).page()
	p.open(s.url + "/guide/")
	p.is(`document.title`, "Index of /guide/")
	p.is(`document.querySelector('h1').textContent`, "Index of /guide/")
	p.is(`document.body.innerText.includes('directories: 1, files: 5')`, true)
	if got, want := p.shown(), strings.Join([]string{"../", "images/", endless, "Alpha.txt", "beta.md", "gamma.md", minutes}, " "); got != want {
		t.Errorf("shown are %q, want %q", got, want)
	}
	p.is(`[...document.querySelectorAll('a')].filter(a => a.textContent.startsWith('download')).map(a => a.textContent + a.search).join()`,
		"download tar.gz?download,download tar.zst?download=tarzst,download zip?download=zip")
	// The policy keeps out what is not the page's own, whoever put it there.
	p.eval(`document.body.append(Object.assign(document.createElement('script'), {text: 'broken = true'}))`)
	p.is(`'broken' in window`, false)
	p.console.Lock()
	complaints := len(p.console.lines)
	p.console.lines = nil
	p.console.Unlock()
	if complaints == 0 {
		t.Error("no complaint of a foreign script: then the test would not see those of the page's own either")
	}
	p.open(s.url + "/guide/images/")
	p.open(s.url + "/")
	p.quiet()
}

func TestSortInABrowser(t *testing.T) {
	t.Parallel()
	s := newSite(t, guide())
	p := newBrowser(t).page()
	p.open(s.url + "/guide/")
	for _, c := range []struct{ column, sort, first string }{
		{"Size", "ascending", "images/"},
		{"Size", "descending", "beta.md"},
		{"Name", "ascending", endless},
		{"Name", "descending", minutes},
		{"Last modified", "ascending", ""},
	} {
		p.eval(fmt.Sprintf(`[...document.querySelectorAll('thead a')].find(a => a.textContent === %q).click()`, c.column))
		p.wait()
		p.is(`document.querySelector('[aria-sort]').textContent + ' ' + document.querySelector('[aria-sort]').ariaSort`, c.column+" "+c.sort)
		if c.first != "" {
			p.is(`document.querySelectorAll('tbody a')[1].textContent`, c.first)
		}
	}
	p.quiet()
}

func TestSearchAsYouType(t *testing.T) {
	t.Parallel()
	s := newSite(t, guide())
	p := newBrowser(t).page()
	p.open(s.url + "/guide/?sort=0")
	p.press("/", "M", "d")
	p.press("Escape", ".", "M", "D")
	if got := p.shown(); got != "../ beta.md gamma.md" {
		t.Errorf("shown are %q", got)
	}
	p.is(`document.getElementById('found').textContent`, "2 of 6 match")
	p.is(`document.querySelectorAll('thead a')[2].search`, "?sort=4&search=.MD")
	// Enter goes to the first of several.
	p.press("Enter")
	p.is(`document.activeElement.textContent`, "beta.md")
	// Another order keeps the search, which the server does then; what it has not sent it is asked for.
	p.eval(`document.querySelectorAll('thead a')[2].click()`)
	p.wait()
	if got := p.shown(); got != "../ gamma.md beta.md" {
		t.Errorf("after sorting, shown are %q", got)
	}
	p.is(`document.getElementById('found').textContent`, "2 of 6 match “.MD”")
	p.press("/", "a", "l", "p")
	p.frame()
	p.is(`document.getElementById('found').textContent`, "Press Enter to search the whole folder.")
	p.press("Enter")
	p.wait()
	if got := p.shown(); got != "../ Alpha.txt" {
		t.Errorf("searched by the server: %q", got)
	}
	p.press("/", "Escape")
	p.wait()
	p.is(`document.querySelectorAll('tbody tr').length`, 7.0)
	// Enter opens what is the only one.
	p.press("/", "a", "l", "p", "h", "Enter")
	p.wait()
	p.is(`location.pathname + ' ' + document.body.innerText`, "/guide/Alpha.txt first")
}

func TestKeys(t *testing.T) {
	t.Parallel()
	s := newSite(t, guide())
	p := newBrowser(t).page()
	p.open(s.url + "/guide/?sort=1")
	at := func(want string) {
		t.Helper()
		p.is(`document.activeElement.textContent || document.activeElement.id`, want)
	}
	p.press("ArrowDown")
	at("../")
	p.press("j")
	at(minutes)
	p.press("j", "ArrowDown", "ArrowDown")
	at("beta.md")
	p.press("k", "ArrowUp")
	at("images/")
	p.is(`getComputedStyle(document.activeElement).outlineStyle`, "solid")
	p.press("k", "k", "k")
	at("search")
	p.press("j") // is text here
	p.is(`document.getElementById('search').value`, "j")
	p.press("Escape", "Escape", "ArrowDown", "ArrowDown", "j", "Enter")
	p.wait()
	p.is(`location.pathname`, "/guide/images/")
	p.press("j", "Enter")
	p.wait()
	p.is(`location.pathname`, "/guide/")
	p.press("j", "j", "j", "j", "j", "j", "j", "j", "j", "j")
	at(minutes) // the last
	p.quiet()
}

func TestWithoutScripts(t *testing.T) {
	t.Parallel()
	s := newSite(t, guide())
	p := newBrowser(t).page()
	p.do("Emulation.setScriptExecutionDisabled", object{"value": true})
	p.open(s.url + "/guide/?sort=1")
	p.is(`getComputedStyle(document.querySelector('button')).display !== 'none'`, true)
	p.eval(`document.getElementById('search').focus()`)
	p.press(".", "m", "d")
	p.is(`document.getElementById('found').textContent`, "") // no script has run
	p.press("Enter")
	p.wait()
	p.is(`location.search`, "?search=.md&sort=1")
	if got := p.eval(`[...document.querySelectorAll('tbody a')].map(a => a.textContent).join(' ')`); got != "../ gamma.md beta.md" {
		t.Errorf("found are %q", got)
	}
	p.eval(`[...document.querySelectorAll('a')].find(a => a.textContent === 'show all').click()`)
	p.wait()
	p.is(`location.search + ' ' + document.querySelectorAll('tbody a').length`, "?sort=1 7")
	p.quiet()
}

// A name that is taken for markup, a scheme or a query is a hole or a file that cannot be reached.
func TestOddNamesInABrowser(t *testing.T) {
	t.Parallel()
	names := []string{`<script>broken=1<`, `<img src=x onerror='broken=1'>`, `"onmouseover="broken=1`, "javascript:broken=1", "a?b#c", "100%41", "-rf", "été 日本", "&amp;", "bad\xff"}
	files := map[string]string{"odd/x/": ""}
	for _, name := range names {
		files["odd/"+strings.ReplaceAll(name, "/", "")] = name
	}
	s := newSite(t, files, "--redirect-trailing-slash=false")
	p := newBrowser(t).page()
	for _, path := range []string{"/odd/", "/odd"} {
		p.open(s.url + path)
		p.is(`[...document.querySelectorAll('script, img')].length + ' ' + ('broken' in window)`, "1 false")
		links := p.eval(`[...document.querySelectorAll('tbody tr:not(.up) a')].map(a => a.href)`).([]any)
		var read []string
		for _, link := range links[1:] { // the first is the folder
			read = append(read, string(fetch(t, link.(string)).body))
		}
		slices.Sort(read)
		if want := slices.Sorted(slices.Values(names)); !slices.Equal(read, want) {
			t.Errorf("the links of %s lead to %q, want %q", path, read, want)
		}
		p.is(`new URL(document.querySelector('.up a').href).pathname`, "/")
	}
	p.quiet()
}

func TestVeryManyEntries(t *testing.T) {
	t.Parallel()
	s := newSite(t, many(20_000))
	p := newBrowser(t).page()
	p.look(1280, 800, "light")
	p.open(s.url + "/many/")
	p.is(`document.querySelectorAll('tbody tr').length`, 20001.0)
	p.press("/", "9", "9", "9", "9")
	if got := p.shown(); got != "../ file 09999.txt file 19999.txt" {
		t.Errorf("shown are %q", got)
	}
	p.is(`document.documentElement.scrollHeight <= innerHeight`, true) // no room is left for what is hidden
	p.press("ArrowDown", "ArrowDown", "ArrowDown")
	p.is(`document.activeElement.textContent`, "file 19999.txt")
	p.press("Escape")
	p.frame()
	p.is(`document.activeElement.getBoundingClientRect().top < innerHeight`, true)
	p.eval(`scrollTo(0, document.documentElement.scrollHeight / 2)`)
	p.picture("many")
	p.quiet()
}
