package files

import (
	"net/http"
	"slices"
	"time"

	"github.com/rouse-server/rouse/server/accept"
	"github.com/rouse-server/rouse/server/compress"
)

// choose decides which representation of a file the client gets, and describes it in the header. The caller closes what was
// opened beside the file.
func (h *handler) choose(p *response, r *http.Request, f found) *sending {
	header := p.Header()
	mediaType := h.mediaType(f.info.Name())
	header.Set("Content-Type", mediaType)
	possible := len(h.Codings) > 0 && compress.Compressible(mediaType)
	if h.Static || possible {
		accept.AddVary(header, "accept-encoding")
	}
	tagOfFile := ""
	seen := r.Header["If-None-Match"]
	if beside, coding := h.besides(r, f.name); coding != "" {
		if len(seen) > 0 {
			tagOfFile = h.tag(r.Context(), p, f)
		}
		if !listed(seen, tagOfFile) { // else the client has it already, without the coding
			header.Set("Content-Encoding", string(coding))
			s := h.describe(p, r, beside)
			s.beside = beside.file
			return s
		}
		beside.close()
	}
	s := h.describe(p, r, f)
	if possible && f.info.Size() >= compress.MinSize && !listed(seen, s.tag) {
		h.encodeOnTheFly(s, r, seen)
	}
	return s
}

// describe sets the validators of a file as it is.
func (h *handler) describe(p *response, r *http.Request, f found) *sending {
	s := &sending{response: p, h: h, found: f, id: identityOf(f.info), modified: f.info.ModTime(), tag: h.tag(r.Context(), p, f)}
	if hasNoTime(s.modified) {
		s.modified = time.Time{} // no Last-Modified
	} else if now := time.Now(); s.modified.After(now) { // RFC 9110 §8.8.2.1
		s.modified = now
	}
	if s.tag != "" {
		p.Header().Set("ETag", s.tag)
	}
	return s
}

// encodeOnTheFly picks a coding. A client that has the file in one that it still accepts is told so by that one's tag. Parts
// of a file are not encoded, since they are parts of what it is without; nor is what HEAD describes.
func (h *handler) encodeOnTheFly(s *sending, r *http.Request, seen []string) {
	accepted := compress.Accepted(r.Header["Accept-Encoding"], h.Codings)
	if len(accepted) == 0 {
		return
	}
	has := slices.IndexFunc(accepted, func(c compress.Coding) bool { return listed(seen, encodedTag(s.tag, c)) })
	if has >= 0 {
		s.Header().Set("ETag", encodedTag(s.tag, accepted[has]))
		return
	}
	if r.Method != http.MethodGet || r.Header["Range"] != nil {
		return
	}
	s.coding = accepted[0]
	s.Header().Set("Content-Encoding", string(s.coding))
	if s.tag != "" {
		s.Header().Set("ETag", encodedTag(s.tag, s.coding))
	}
}

// siblings are the codings that files beside a file may have.
func siblings() []compress.Coding {
	return []compress.Coding{compress.Zstd, compress.Brotli, compress.Gzip}
}

// besides opens the precompressed file that the client likes best of those that there are.
func (h *handler) besides(r *http.Request, name string) (found, compress.Coding) {
	if !h.Static {
		return found{}, ""
	}
	for _, coding := range compress.Accepted(r.Header["Accept-Encoding"], siblings()) {
		if f, err := h.openFile(name + compress.Extension(coding)); err == nil {
			return f, coding
		}
	}
	return found{}, ""
}
