package faults

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"io"
	"strings"
)

// outArchived tells whether a text is in an answer, also in an archive or encoding of which that is.
func outArchived(got outAnswer, text string) bool {
	if strings.Contains(got.raw, text) {
		return true
	}
	body := []byte(got.body)
	if got.header.Get("Content-Type") == "application/zip" {
		return outZipHas(body, text)
	}
	if !bytes.HasPrefix(body, []byte{0x1f, 0x8b}) {
		return false
	}
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return false
	}
	content, _ := io.ReadAll(r) // one that was broken off is looked at as far as it came
	return bytes.Contains(content, []byte(text))
}

// outZipHas looks at an archive from its beginning: one that was broken off has no directory.
func outZipHas(body []byte, text string) bool {
	z, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return bytes.Contains(body, []byte(text))
	}
	for _, file := range z.File {
		if strings.Contains(file.Name, text) {
			return true
		}
		if r, err := file.Open(); err == nil {
			content, _ := io.ReadAll(r)
			if bytes.Contains(content, []byte(text)) {
				return true
			}
		}
	}
	return false
}

// outNames are the names in a tar.gz, as far as it came.
func outNames(body string) (names []string) {
	r, err := gzip.NewReader(strings.NewReader(body))
	if err != nil {
		return nil
	}
	for in := tar.NewReader(r); ; {
		h, err := in.Next()
		if err != nil {
			return names
		}
		names = append(names, h.Name)
	}
}
