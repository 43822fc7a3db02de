package packages

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// image is what the configuration of an image says.
type image struct {
	Architecture, OS, Created string
	Config                    struct {
		User                 string
		Env, Entrypoint, Cmd []string
		ExposedPorts         map[string]any
		Labels               map[string]string
		Healthcheck          struct {
			Test              []string
			Interval, Retries int
		}
	}
}

// reference is how one part of an image names another one.
type reference struct {
	MediaType, Digest string
	Platform          struct{ OS, Architecture string }
	Annotations       map[string]string
}

// layout is an unpacked image layout.
type layout string

// openLayout unpacks the image that was built.
func openLayout(t *testing.T) layout {
	t.Helper()
	dir := t.TempDir()
	run(t, "tar", "-C", dir, "-xf", made("first", "rouse_"+version+"_image.tar"))
	return layout(dir)
}

// read decodes one of its files.
func (l layout) read(t *testing.T, name string, value any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(string(l), name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, value); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// blob decodes the part that a reference names.
func (l layout) blob(t *testing.T, r reference, value any) {
	t.Helper()
	l.read(t, filepath.Join("blobs", strings.Replace(r.Digest, ":", "/", 1)), value)
}

// The image is there for both processors, under its version, and says how it is run.
func TestImage(t *testing.T) {
	t.Parallel()
	l := openLayout(t)
	var top, all struct{ Manifests []reference }
	l.read(t, "index.json", &top)
	if len(top.Manifests) != 1 || top.Manifests[0].Annotations["org.opencontainers.image.ref.name"] != version {
		t.Fatalf("%+v", top)
	}
	l.blob(t, top.Manifests[0], &all)
	var processors []string
	for _, r := range all.Manifests {
		processors = append(processors, r.Platform.OS+"/"+r.Platform.Architecture)
		var manifest struct {
			Config reference
			Layers []reference
		}
		l.blob(t, r, &manifest)
		var config image
		l.blob(t, manifest.Config, &config)
		checkConfig(t, config, r.Platform.Architecture)
	}
	if !slices.Equal(processors, []string{"linux/amd64", "linux/arm64"}) {
		t.Error(processors)
	}
}

func checkConfig(t *testing.T, got image, arch string) {
	t.Helper()
	c := got.Config
	command := append(slices.Clone(c.Entrypoint), c.Cmd...)
	_, exposed := c.ExposedPorts["8080/tcp"]
	if got.Architecture != arch || got.OS != "linux" || got.Created != "2023-11-14T22:13:20Z" ||
		c.User != "65532:65532" || !slices.Equal(command, []string{"/usr/bin/rouse", "serve"}) || !exposed ||
		!slices.Equal(c.Healthcheck.Test, []string{"CMD", "/usr/bin/rouse", "health"}) || c.Healthcheck.Interval != int(30*time.Second) ||
		c.Labels["org.opencontainers.image.version"] != version || c.Labels["org.opencontainers.image.licenses"] != "Apache-2.0" {
		t.Errorf("%s: %+v", arch, got)
	}
	for _, variable := range []string{"SERVER_HOST=::", "SERVER_PORT=8080", "SERVER_ROOT=/public", "SERVER_HEALTH=true"} {
		if !slices.Contains(c.Env, variable) {
			t.Errorf("%s: %q has no %s", arch, c.Env, variable)
		}
	}
}

// container is the image as a container's: its files below a folder, and how it is run there.
type container struct {
	root   string
	config image
}

// unpackImage has umoci, which knows nothing of us, unpack the image for this processor.
func unpackImage(t *testing.T) container {
	t.Helper()
	needs(t, "umoci")
	l := openLayout(t)
	var top, all struct{ Manifests []reference }
	l.read(t, "index.json", &top)
	l.blob(t, top.Manifests[0], &all)
	// umoci 0.4.7 takes no index of several processors: it gets one of them by itself.
	one := all.Manifests[0]
	index := fmt.Sprintf(`{"schemaVersion":2,"manifests":[{"mediaType":%q,"digest":%q,"size":%d,"annotations":{"org.opencontainers.image.ref.name":"one"}}]}`,
		one.MediaType, one.Digest, l.size(t, one))
	if err := os.WriteFile(filepath.Join(string(l), "index.json"), []byte(index), 0o644); err != nil {
		t.Fatal(err)
	}
	bundle := filepath.Join(t.TempDir(), "bundle")
	run(t, "umoci", "unpack", "--image", string(l)+":one", bundle)
	c := container{root: filepath.Join(bundle, "rootfs")}
	var manifest struct{ Config reference }
	l.blob(t, one, &manifest)
	l.blob(t, manifest.Config, &c.config)
	return c
}

func (l layout) size(t *testing.T, r reference) int64 {
	t.Helper()
	info, err := os.Stat(filepath.Join(string(l), "blobs", strings.Replace(r.Digest, ":", "/", 1)))
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// command is a command in the container, as its user and with its variables.
func (c container) command(words ...string) *exec.Cmd {
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Dir, cmd.Env = "/", c.config.Config.Env
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: c.root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
	return cmd
}

// The image serves its page on both families, as nobody in particular, and its check tells whether it does.
func TestImageServes(t *testing.T) {
	needsSystemd(t) // for the network, which is private there: the image's port is a fixed one
	c := unpackImage(t)
	check := func() error {
		out, err := c.command(c.config.Config.Healthcheck.Test[1:]...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}
	if err := check(); err == nil {
		t.Error("healthy before it runs")
	}
	server := c.command(append(slices.Clone(c.config.Config.Entrypoint), c.config.Config.Cmd...)...)
	var log strings.Builder
	server.Stderr = &log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		server.Process.Signal(syscall.SIGTERM)
		if err := server.Wait(); err != nil || t.Failed() {
			t.Errorf("the server: %v\n%s", err, log.String())
		}
		if err := check(); err == nil {
			t.Error("healthy when it has ended")
		}
	}()
	waitFor(t, "healthy", func() bool { return check() == nil })
	for _, url := range []string{"http://127.0.0.1:8080/", "http://[::1]:8080/"} {
		reply, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		page, err := io.ReadAll(reply.Body)
		reply.Body.Close()
		if err != nil || reply.StatusCode != http.StatusOK || !strings.Contains(string(page), "Rouse is awake") {
			t.Errorf("%s: %d %v %s", url, reply.StatusCode, err, page)
		}
	}
}
