package listing

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/rouse-server/rouse/server/compress"
	"github.com/rouse-server/rouse/server/tree"
)

// The formats of archives, as static-web-server and the option call them.
const (
	targz  = "targz"
	tarzst = "tarzst"
	zipped = "zip"
)

// extension is what the names of archives end in, without the dot.
func extension(format string) string {
	switch format {
	case targz:
		return "tar.gz"
	case tarzst:
		return "tar.zst"
	}
	return format
}

func mediaType(format string) string {
	switch format {
	case targz:
		return "application/gzip" // RFC 6713
	case tarzst:
		return "application/zstd" // RFC 8878
	}
	return "application/zip"
}

// sendArchive sends the folder with all below it. Its length is not known before its end, so a reply that is not whole is
// broken off, in place of being ended.
func (l *Listing) sendArchive(w http.ResponseWriter, r *http.Request, dir, format string) {
	if err := l.check(dir); err != nil {
		l.fail(w, r, err)
		return
	}
	name := archiveName(dir)
	h := w.Header()
	h.Set("Content-Type", mediaType(format))
	h.Set("Content-Disposition", disposition(name+"."+extension(format)))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Accept-Ranges", "none")
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-cache")
	}
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return
	}
	out := bufio.NewWriterSize(w, 64<<10)
	err := l.pack(r, out, dir, name, format)
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		switch {
		case r.Context().Err() != nil: // a client that went away is no news
		case tree.Status(err) >= http.StatusInternalServerError:
			l.complaints.BrokenOff(r.Context(), r.URL.Path, err)
		default:
			l.options.Log.WarnContext(r.Context(), "archive broken off", "path", r.URL.Path, "error", err)
		}
		panic(http.ErrAbortHandler)
	}
}

// pack writes the archive of a folder, in which all names begin with name.
func (l *Listing) pack(r *http.Request, out io.Writer, dir, name, format string) error {
	to, err := l.newArchive(out, format)
	if err != nil {
		return err
	}
	walk := &walk{Listing: l, ctx: r.Context(), to: to, buffer: make([]byte, 64<<10)}
	if err := walk.folder(dir, name); err != nil {
		return err
	}
	return to.Close()
}

func (l *Listing) newArchive(out io.Writer, format string) (archive, error) {
	if format == zipped {
		return newZip(out), nil
	}
	coding := compress.Gzip
	if format == tarzst {
		coding = compress.Zstd
	}
	encoder, err := compress.NewWriter(out, coding, l.options.Level)
	if err != nil {
		return nil, fmt.Errorf("make a %s archive: %w", extension(format), err)
	}
	return newTarball(encoder), nil
}

// archiveName is the folder that an archive unpacks to, and its own name without extension: the folder's, or "archive" for
// the root, whose name clients do not know. What would be more than a name on another system is replaced.
func archiveName(dir string) string {
	if dir == "." {
		return "archive"
	}
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || c == utf8.RuneError || strings.ContainsRune(`/\:*?"<>|`, c) {
			return '_'
		}
		return c
	}, path.Base(dir))
}

// disposition asks to save the reply under a name (RFC 6266 §4.3): for old clients in ASCII, for all others in UTF-8 (RFC 8187).
// Percent signs go from the former since some clients decode them there (RFC 6266, appendix D).
func disposition(name string) string {
	ascii := strings.Map(func(c rune) rune {
		if c < ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '%' {
			return '_'
		}
		return c
	}, name)
	return `attachment; filename="` + ascii + `"; filename*=UTF-8''` + string(appendEscaped(nil, name))
}
