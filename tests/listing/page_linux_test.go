package listing

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// page is a tab of a browser.
type page struct {
	*browser
	session string
	loaded  chan string // gets the names of loads that ended

	console struct {
		sync.Mutex
		lines []string
	}
}

// page opens a tab of its own.
func (b *browser) page() *page {
	b.t.Helper()
	var target struct {
		TargetID string `json:"targetId"`
	}
	b.call("", "Target.createTarget", object{"url": "about:blank"}, &target)
	var attached struct {
		SessionID string `json:"sessionId"`
	}
	b.call("", "Target.attachToTarget", object{"targetId": target.TargetID, "flatten": true}, &attached)
	p := &page{browser: b, session: attached.SessionID, loaded: make(chan string, 100)}
	b.mu.Lock()
	b.events[p.session] = p.event
	b.mu.Unlock()
	for _, domain := range []string{"Page", "Runtime", "Log"} {
		p.do(domain+".enable", nil)
	}
	return p
}

func (p *page) event(m message) {
	if m.Method == "Page.loadEventFired" {
		p.loaded <- m.Method
	}
	if text := complaint(m); text != "" {
		p.console.Lock()
		p.console.lines = append(p.console.lines, text)
		p.console.Unlock()
	}
}

// quiet fails the test when the page has put anything on its console, such as a violated Content-Security-Policy.
func (p *page) quiet() {
	p.t.Helper()
	p.console.Lock()
	defer p.console.Unlock()
	if len(p.console.lines) > 0 {
		p.t.Errorf("the page complains:\n%s", strings.Join(p.console.lines, "\n"))
	}
	p.console.lines = nil
}

func (p *page) do(method string, params any) {
	p.t.Helper()
	if params == nil {
		params = object{}
	}
	p.call(p.session, method, params, nil)
}

// open loads a page and waits for it.
func (p *page) open(url string) {
	p.t.Helper()
	p.do("Page.navigate", object{"url": url})
	p.wait()
}

// wait waits until a page that is being loaded is there.
func (p *page) wait() {
	p.t.Helper()
	select {
	case <-p.loaded:
	case <-time.After(limit):
		p.t.Fatalf("no page was loaded within %v", limit)
	}
}

// eval returns what an expression is in the page; of a promise, what becomes of it.
func (p *page) eval(expression string) any {
	p.t.Helper()
	var answer struct {
		Result    struct{ Value any }
		Exception json.RawMessage `json:"exceptionDetails"`
	}
	p.call(p.session, "Runtime.evaluate", object{"expression": expression, "returnByValue": true, "awaitPromise": true}, &answer)
	if answer.Exception != nil {
		p.t.Fatalf("%s: %s", expression, answer.Exception)
	}
	return answer.Result.Value
}

// is fails the test unless an expression is what we want.
func (p *page) is(expression string, want any) {
	p.t.Helper()
	if got := p.eval(expression); got != want {
		p.t.Errorf("%s is %#v, want %#v", expression, got, want)
	}
}

// shown are the names in the list that can be seen, as one line.
func (p *page) shown() string {
	p.t.Helper()
	p.frame()
	return p.eval(`[...document.querySelectorAll('tbody tr')].filter(row => row.checkVisibility()).map(row => row.cells[0].innerText).join(' ')`).(string)
}

// frame waits until what was typed has been drawn.
func (p *page) frame() {
	p.t.Helper()
	p.eval(`new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(0))))`)
}

// keys are those that do not stand for a character, with their codes on Windows, by which DevTools knows them.
func keyCode(key string) int {
	return map[string]int{"Enter": 13, "Escape": 27, "ArrowUp": 38, "ArrowDown": 40, "Tab": 9}[key]
}

// press presses keys, each a character or the name of a key.
func (p *page) press(keys ...string) {
	p.t.Helper()
	for _, key := range keys {
		down := object{"type": "keyDown", "key": key, "windowsVirtualKeyCode": keyCode(key)}
		switch {
		case key == "Enter":
			down["text"] = "\r"
		case len(key) == 1:
			down["text"] = key
		}
		p.do("Input.dispatchKeyEvent", down)
		p.do("Input.dispatchKeyEvent", object{"type": "keyUp", "key": key, "windowsVirtualKeyCode": keyCode(key)})
	}
}

// look makes the window so large, in CSS pixels, and light or dark.
func (p *page) look(width, height int, scheme string) {
	p.t.Helper()
	p.do("Emulation.setDeviceMetricsOverride", object{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 800})
	p.do("Emulation.setEmulatedMedia", object{"features": []object{{"name": "prefers-color-scheme", "value": scheme}}})
	p.frame()
}

// picture returns what can be seen, as PNG, and keeps it when ROUSE_SCREENSHOTS names a folder for somebody who wants to look.
func (p *page) picture(name string) []byte {
	p.t.Helper()
	var shot struct{ Data string }
	p.call(p.session, "Page.captureScreenshot", object{"format": "png"}, &shot)
	png, err := base64.StdEncoding.DecodeString(shot.Data)
	if err != nil {
		p.t.Fatal(err)
	}
	if folder := os.Getenv("ROUSE_SCREENSHOTS"); folder != "" {
		if err := os.WriteFile(filepath.Join(folder, name+".png"), png, 0o644); err != nil {
			p.t.Error(err)
		}
	}
	return png
}
