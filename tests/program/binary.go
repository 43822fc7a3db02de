package program

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Binary returns the path of the rouse under test: what ROUSE_BINARY names, else one that is built now, from this
// checkout and as the product is (CGO_ENABLED=0). The built one stays in the user's cache folder, so that the go command
// links it again only after a change.
func Binary(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("ROUSE_BINARY"); path != "" {
		return path
	}
	path, err := built()
	if err != nil {
		t.Fatalf("build rouse: %v", err)
	}
	os.Setenv("ROUSE_BINARY", path) // for the tests that follow, and for a test binary that starts itself
	return path
}

// Build builds what Binary returns, for a TestMain whose tests run where modules cannot be downloaded.
func Build() error {
	if os.Getenv("ROUSE_BINARY") != "" {
		return nil
	}
	path, err := built()
	if err != nil {
		return fmt.Errorf("build rouse: %w", err)
	}
	return os.Setenv("ROUSE_BINARY", path)
}

// built builds once for all tests of a package: the go command takes half a second even where nothing is to be done.
var built = sync.OnceValues(build)

func build() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find the module with go env GOMOD: %w", err)
	}
	module := filepath.Dir(strings.TrimSpace(string(out)))
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	// One file per checkout: the go command replaces it by rename, so tests of several packages may build at once.
	path := filepath.Join(cache, "rouse-tests", fmt.Sprintf("rouse-%x", sha256.Sum256([]byte(module)))[:18])
	build := exec.Command("go", "build", "-trimpath", "-o", path, "./cmd/rouse")
	build.Dir = module
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
}
