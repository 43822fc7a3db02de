package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// target is a platform, in Go's words.
type target struct{ os, arch string }

// architectures are the processors that Rouse is built for, on either system.
func architectures() []string { return []string{"amd64", "arm64"} }

// built is Rouse for one target.
type built struct {
	path string
	info *buildinfo.BuildInfo // what it was made from
}

// targets are those that the formats that were asked for need.
func (r *release) targets() []target {
	var list []target
	for _, f := range formats() {
		if !r.wants(f.name) {
			continue
		}
		for _, arch := range architectures() {
			asked := slices.Contains(r.arches, arch)
			if f.linux && asked {
				list = append(list, target{"linux", arch})
			}
			if f.darwin && asked || f.universal {
				list = append(list, target{"darwin", arch})
			}
		}
	}
	slices.SortFunc(list, func(a, b target) int { return bytes.Compare([]byte(a.os+a.arch), []byte(b.os+b.arch)) })
	return slices.Compact(list)
}

// compile builds Rouse for all targets.
func (r *release) compile(ctx context.Context) error {
	r.binaries = map[target]built{}
	for _, t := range r.targets() {
		path := filepath.Join(r.work, "bin", t.os+"-"+t.arch, "rouse")
		// Nothing but source and version decides upon the bytes: neither the path of the checkout (-trimpath), nor the state of
		// git, nor the builder's own settings. Debug information is left out; panics name their lines all the same.
		_, err := output(ctx, r.root, t.environment(), "go", "build", "-trimpath", "-buildvcs=false",
			"-ldflags=-s -w -X main.release="+r.version.String(), "-o", path, "./cmd/rouse")
		if err != nil {
			return fmt.Errorf("build rouse for %s/%s: %w", t.os, t.arch, err)
		}
		info, err := buildinfo.ReadFile(path)
		if err != nil {
			return fmt.Errorf("read what rouse for %s/%s was made from: %w", t.os, t.arch, err)
		}
		r.binaries[t] = built{path, info}
	}
	var err error
	r.notices, err = r.collectNotices(ctx)
	return err
}

// environment is that of the go command for a target. Later entries win (os/exec).
func (t target) environment() []string {
	return append(os.Environ(), "CGO_ENABLED=0", "GOOS="+t.os, "GOARCH="+t.arch, "GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=", "GOEXPERIMENT=", "GOWORK=off")
}
