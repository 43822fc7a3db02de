package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"
)

// makeSBOM lists the modules in the binaries, with the checksums by which the go command knows them, in the format of
// CycloneDX (cyclonedx.org).
func (r *release) makeSBOM(ctx context.Context) error {
	bom := r.billOfMaterials()
	var text bytes.Buffer
	encoder := cyclonedx.NewBOMEncoder(&text, cyclonedx.BOMFileFormatJSON).SetPretty(true).SetEscapeHTML(false)
	if err := encoder.EncodeVersion(bom, cyclonedx.SpecVersion1_6); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return os.WriteFile(r.add("rouse_%s.cdx.json", r.version), text.Bytes(), 0o644)
}

func (r *release) billOfMaterials() *cyclonedx.BOM {
	self := cyclonedx.Component{
		Type: cyclonedx.ComponentTypeApplication, Name: "rouse", Version: r.version.String(),
		Description: summary, Licenses: &cyclonedx.Licenses{{License: &cyclonedx.License{ID: licence}}},
	}
	goVersions := map[string]bool{}
	for _, b := range r.binaries {
		goVersions[b.info.GoVersion] = true
		self.PackageURL = "pkg:golang/" + b.info.Main.Path + "@v" + r.version.String()
	}
	self.BOMRef = self.PackageURL
	components := []cyclonedx.Component{}
	for _, version := range slices.Sorted(maps.Keys(goVersions)) {
		version, _, _ = strings.Cut(strings.TrimPrefix(version, "go"), " ") // less experiments
		components = append(components, library("std", version, "pkg:golang/stdlib@"+version))
	}
	for _, m := range r.modules() {
		component := library(m.Path, m.Version, "pkg:golang/"+m.Path+"@"+m.Version)
		component.Hashes = moduleHash(m)
		components = append(components, component)
	}
	var references []string
	for _, c := range components {
		references = append(references, c.BOMRef)
	}
	bom := cyclonedx.NewBOM()
	bom.Metadata = &cyclonedx.Metadata{Timestamp: r.time.Format(time.RFC3339), Component: &self}
	bom.Components = &components
	bom.Dependencies = &[]cyclonedx.Dependency{{Ref: self.BOMRef, Dependencies: &references}}
	return bom
}

func library(name, version, url string) cyclonedx.Component {
	return cyclonedx.Component{Type: cyclonedx.ComponentTypeLibrary, BOMRef: url, Name: name, Version: version, PackageURL: url}
}

// moduleHash is the module's line in go.sum: "h1:" and the SHA-256 of a list of its files (golang.org/x/mod/sumdb/dirhash).
func moduleHash(m *debug.Module) *[]cyclonedx.Hash {
	sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(m.Sum, "h1:"))
	if err != nil || len(sum) != sha256.Size {
		return nil
	}
	return &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: hex.EncodeToString(sum)}}
}
