// Package compress knows HTTP's content codings: which of them a client takes, which media types they are worth it for, and
// the writers that make them.
package compress

// Coding is a content coding by its name in IANA's HTTP Content Coding Registry.
type Coding string

const (
	Zstd    Coding = "zstd" // RFC 8878; its window is at most 8 MiB, as RFC 9659 asks
	Brotli  Coding = "br"   // RFC 7932
	Gzip    Coding = "gzip" // RFC 1952
	Deflate Coding = "deflate"
)

// Codings lists the codings in the order of preference among those that a client likes equally.
func Codings() []Coding { return []Coding{Zstd, Brotli, Gzip, Deflate} }

// MinSize is the number of bytes below which a body is sent as it is: it would grow, or fits into one packet anyway.
const MinSize = 200

// Extension is what the name of a precompressed file has behind the original's: ".zst", ".br" or ".gz". It is empty for
// Deflate, which has no file format.
func Extension(c Coding) string {
	switch c {
	case Zstd:
		return ".zst"
	case Brotli:
		return ".br"
	case Gzip:
		return ".gz"
	}
	return ""
}
