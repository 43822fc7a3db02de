package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// writeChecksums lists what was made, as sha256sum --check reads it.
func (r *release) writeChecksums() error {
	slices.Sort(r.made)
	var list bytes.Buffer
	for _, file := range r.made {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		fmt.Fprintf(&list, "%x  %s\n", sha256.Sum256(text), filepath.Base(file))
	}
	return os.WriteFile(r.add("checksums.txt"), list.Bytes(), 0o644)
}
