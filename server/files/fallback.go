package files

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rouse-server/rouse/server/accept"
	"github.com/rouse-server/rouse/server/compress"
	"github.com/rouse-server/rouse/server/reply"
	"github.com/rouse-server/rouse/server/tree"
)

// No fallback page is longer than this, in bytes.
const maxFallback = 8 << 20

// fallback is the page that is served where nothing is, as it was when it was last read.
type fallback struct {
	mu   sync.Mutex
	id   Identity
	body []byte
}

// fallBack answers a GET that would be 404 with the fallback page, if there is one for it. It has neither validators nor
// ranges: it is not what was asked for.
func (h *handler) fallBack(p *response, r *http.Request) bool {
	if h.Fallback == "" && !h.SPA || r.Method != http.MethodGet {
		return false
	}
	if h.SPA {
		accept.AddVary(p.Header(), "accept")
		accept.AddVary(p.Header(), "sec-fetch-mode")
		if !navigation(r) {
			return false
		}
	}
	id, body, err := h.readFallback()
	if h.Fallback == "" && errors.Is(err, fs.ErrNotExist) {
		return false
	}
	if err != nil && tree.Status(err) >= http.StatusInternalServerError { // 404 would tell that there is nothing
		h.fail(p, r, err)
		return true
	}
	if err != nil {
		h.Log.WarnContext(r.Context(), "cannot read the fallback page", "file", h.Fallback, "error", err)
		return false
	}
	header := p.Header()
	header.Set("Content-Type", "text/html")
	if h.Charset {
		header.Set("Content-Type", "text/html; charset=utf-8")
	}
	header.Set("Cache-Control", "no-cache")
	v := Variant{identity: id, trimmed: true}
	if len(h.Codings) > 0 {
		accept.AddVary(header, "accept-encoding")
		if encoded, coding := h.encodedFallback(r.Context(), id, body, r.Header["Accept-Encoding"]); coding != "" {
			header.Set("Content-Encoding", string(coding))
			v.coding, v.level, body = coding, h.Level, encoded
		}
	}
	if id.settled(time.Now()) {
		reply.Mark(p, v)
	}
	header.Set("Content-Length", strconv.Itoa(len(body)))
	p.WriteHeader(http.StatusOK)
	p.Write(body)
	return true
}

func (h *handler) encodedFallback(ctx context.Context, id Identity, body []byte, accept []string) ([]byte, compress.Coding) {
	accepted := compress.Accepted(accept, h.Codings)
	if len(accepted) == 0 || len(body) < compress.MinSize || h.Cache == nil {
		return nil, ""
	}
	v := Variant{identity: id, coding: accepted[0], level: h.Level, trimmed: true}
	encoded, _, err := h.encoded(ctx, v, func() ([]byte, error) { return body, nil })
	if err != nil {
		return nil, ""
	}
	return encoded, v.coding
}

// navigation reports whether a browser is about to show what it asks for as a page: it says so (Fetch Metadata), or at least
// that it takes HTML. What has another extension than that of a page is a missing file, whoever asks for it.
func navigation(r *http.Request) bool {
	if extension := strings.ToLower(path.Ext(r.URL.Path)); extension != "" && extension != page {
		return false
	}
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	return accept.Media(r.Header["Accept"], "text/html").Named
}

// readFallback returns the page as it is now, without white space around it, and which state of the file that is.
func (h *handler) readFallback() (Identity, []byte, error) {
	f, err := h.openFallback()
	if err != nil {
		return Identity{}, nil, err
	}
	defer f.close()
	id := identityOf(f.info)
	if id.size > maxFallback {
		return id, nil, fmt.Errorf("it has %d bytes, more than the %d that are allowed", id.size, maxFallback)
	}
	h.fallback.mu.Lock()
	defer h.fallback.mu.Unlock()
	if h.fallback.body != nil && h.fallback.id == id {
		return id, h.fallback.body, nil
	}
	body, err := readFile(f.file, id)
	if err != nil {
		return id, nil, err
	}
	h.fallback.id, h.fallback.body = id, bytes.TrimSpace(body)
	return id, h.fallback.body, nil
}

func (h *handler) openFallback() (found, error) {
	if h.Fallback == "" {
		return h.findIndexFile(".")
	}
	file, err := os.OpenFile(h.Fallback, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return found{}, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", h.Fallback)
	}
	if err != nil {
		file.Close()
		return found{}, err
	}
	return found{file: file, info: info, name: h.Fallback}, nil
}
