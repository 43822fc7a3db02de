package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/opencontainers/image-spec/specs-go"
	oci "github.com/opencontainers/image-spec/specs-go/v1"
)

// makeImage makes a container image for all processors, as an archive in OCI's layout
// (github.com/opencontainers/image-spec/blob/main/image-layout.md), which podman, skopeo, docker and umoci read.
func (r *release) makeImage(ctx context.Context) error {
	blobs := blobs{}
	var manifests []oci.Descriptor
	for _, arch := range r.arches {
		manifest, err := r.imageManifest(blobs, arch)
		if err != nil {
			return err
		}
		manifests = append(manifests, manifest)
	}
	all := manifests[0]
	if len(manifests) > 1 {
		var err error
		index := oci.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: oci.MediaTypeImageIndex, Manifests: manifests, Annotations: r.labels()}
		if all, err = blobs.addJSON(oci.MediaTypeImageIndex, index); err != nil {
			return err
		}
	}
	all.Annotations = map[string]string{
		oci.AnnotationRefName:      r.version.String(),
		"io.containerd.image.name": "ghcr.io/rouse-server/rouse:" + r.version.String(), // by which docker load names it
	}
	archive, err := blobs.layout(all, r.time)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return os.WriteFile(r.add("rouse_%s_image.tar", r.version), archive, 0o644)
}

// imageManifest adds the image for one processor, and returns what an index says of it.
func (r *release) imageManifest(blobs blobs, arch string) (oci.Descriptor, error) {
	files, err := r.imageFiles(arch)
	if err != nil {
		return oci.Descriptor{}, err
	}
	layer := blobs.add(oci.MediaTypeImageLayerGzip, compress(files))
	config, err := blobs.addJSON(oci.MediaTypeImageConfig, r.imageConfig(arch, sum(files)))
	if err != nil {
		return oci.Descriptor{}, err
	}
	manifest, err := blobs.addJSON(oci.MediaTypeImageManifest, oci.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: oci.MediaTypeImageManifest,
		Config: config, Layers: []oci.Descriptor{layer}, Annotations: r.labels(),
	})
	manifest.Platform = &oci.Platform{OS: "linux", Architecture: arch}
	return manifest, err
}

// imageFiles is the file system of the image: Rouse, a page to begin with, and the user that it runs as. It has no shell and
// no certificates of authorities: Rouse starts nothing and calls nobody.
func (r *release) imageFiles(arch string) ([]byte, error) {
	program, err := os.ReadFile(r.binaries[target{"linux", arch}].path)
	if err != nil {
		return nil, err
	}
	terms, err := os.ReadFile(filepath.Join(r.root, "LICENSE"))
	if err != nil {
		return nil, err
	}
	return tarball([]entry{
		{"etc/passwd", fmt.Appendf(nil, "root:x:0:0:root:/:/sbin/nologin\nrouse:x:%d:%d:Rouse:/public:/sbin/nologin\n", imageUser, imageUser), 0o644},
		{"etc/group", fmt.Appendf(nil, "root:x:0:\nrouse:x:%d:\n", imageUser), 0o644},
		{"public/index.html", firstPage, 0o644},
		{"usr/bin/rouse", program, 0o755},
		{"usr/share/doc/rouse/modules.gz", document(r.notices), 0o644},
		{"usr/share/licenses/rouse/LICENSE", terms, 0o644},
	}, r.time)
}

// imageUser is what images without a distribution have for somebody without rights.
const imageUser = 65532

// imageConfig is OCI's, with Docker's check of health.
type imageConfig struct {
	oci.Image
	Config containerConfig `json:"config"`
}

type containerConfig struct {
	oci.ImageConfig
	Healthcheck healthcheck `json:"Healthcheck"`
}

// healthcheck is Docker's (docs.docker.com/reference/dockerfile, HEALTHCHECK).
type healthcheck struct {
	Test                           []string
	Interval, Timeout, StartPeriod time.Duration
	Retries                        int
}

// imageConfig says how the image is run; layer is the checksum of its files.
func (r *release) imageConfig(arch string, layer blobDigest) imageConfig {
	return imageConfig{
		Image: oci.Image{
			Created: &r.time, Author: maintainer, Platform: oci.Platform{OS: "linux", Architecture: arch},
			RootFS:  oci.RootFS{Type: "layers", DiffIDs: []blobDigest{layer}},
			History: []oci.History{{Created: &r.time, CreatedBy: "go run ./packaging/build"}},
		},
		Config: containerConfig{
			ImageConfig: oci.ImageConfig{
				User:         fmt.Sprintf("%d:%d", imageUser, imageUser),
				ExposedPorts: map[string]struct{}{"8080/tcp": {}},
				Env: []string{
					"PATH=/usr/bin",
					"SERVER_HOST=::", // all addresses of both families
					"SERVER_PORT=8080",
					"SERVER_ROOT=/public",
					"SERVER_HEALTH=true",
				},
				Entrypoint: []string{"/usr/bin/rouse"},
				Cmd:        []string{"serve"},
				WorkingDir: "/",
				Labels:     r.labels(),
				StopSignal: "SIGTERM",
			},
			Healthcheck: healthcheck{
				Test:     []string{"CMD", "/usr/bin/rouse", "health"},
				Interval: 30 * time.Second, Timeout: 10 * time.Second, StartPeriod: 5 * time.Second, Retries: 3,
			},
		},
	}
}

// labels say what the image is (image-spec's annotations.md).
func (r *release) labels() map[string]string {
	return map[string]string{
		oci.AnnotationTitle:         "Rouse",
		oci.AnnotationDescription:   summary,
		oci.AnnotationVersion:       r.version.String(),
		oci.AnnotationCreated:       r.time.Format(time.RFC3339),
		oci.AnnotationURL:           homepage,
		oci.AnnotationSource:        homepage,
		oci.AnnotationDocumentation: homepage + "#readme",
		oci.AnnotationLicenses:      licence,
		oci.AnnotationVendor:        "Rouse",
	}
}
