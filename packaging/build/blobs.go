package main

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	oci "github.com/opencontainers/image-spec/specs-go/v1"
)

// blobs are the parts of an image, by their checksum.
type blobs map[blobDigest][]byte

type blobDigest = digest.Digest

func sum(text []byte) blobDigest { return digest.FromBytes(text) }

// add returns how another part names this one.
func (b blobs) add(kind string, text []byte) oci.Descriptor {
	name := sum(text)
	b[name] = text
	return oci.Descriptor{MediaType: kind, Digest: name, Size: int64(len(text))}
}

func (b blobs) addJSON(kind string, value any) (oci.Descriptor, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return oci.Descriptor{}, err
	}
	return b.add(kind, text), nil
}

// layout is a tar archive of an image layout, with the image in it that the descriptor names.
func (b blobs) layout(image oci.Descriptor, at time.Time) ([]byte, error) {
	version, err := json.Marshal(oci.ImageLayout{Version: oci.ImageLayoutVersion})
	if err != nil {
		return nil, err
	}
	index, err := json.Marshal(oci.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: oci.MediaTypeImageIndex, Manifests: []oci.Descriptor{image},
	})
	if err != nil {
		return nil, err
	}
	entries := []entry{{oci.ImageLayoutFile, version, 0o644}, {oci.ImageIndexFile, index, 0o644}}
	for _, name := range slices.Sorted(maps.Keys(b)) {
		entries = append(entries, entry{"blobs/" + name.Algorithm().String() + "/" + name.Encoded(), b[name], 0o644})
	}
	return tarball(entries, at)
}
