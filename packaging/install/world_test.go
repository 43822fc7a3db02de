package install

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// world is a machine in a folder, with a manager that remembers.
type world struct {
	System
	manager *memory
}

// newWorld is a machine where nothing is installed.
func newWorld(t *testing.T, user bool) *world {
	t.Helper()
	folder := quickFolder(t)
	w := openWorld(folder, user)
	if user {
		mkdir(t, w.at("/home/me"))
	} else {
		mkdir(t, w.at("/etc/systemd/system"))
		mkdir(t, w.at("/run"))
		mkdir(t, w.at("/var/run")) // where it is a Mac
	}
	return w
}

// quickFolder lies in memory where it can: what is installed waits for the disk at every file.
func quickFolder(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("/dev/shm", "rouse-install-")
	if err != nil {
		folder, err := filepath.EvalSymlinks(t.TempDir()) // macOS has a link on the way there
		if err != nil {
			t.Fatal(err)
		}
		return folder
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(folder); err != nil {
			t.Error(err)
		}
	})
	return folder
}

// openWorld is one that is there already, perhaps for another process.
func openWorld(folder string, user bool) *world {
	w := &world{System: System{
		OS: "linux", User: user, Home: "/home/me", Root: filepath.Join(folder, "root"),
		Getenv: func(string) string { return "" },
	}}
	if user {
		w.UID = os.Getuid()
	}
	w.manager = &memory{sys: &w.System, path: filepath.Join(folder, "manager.json")}
	w.Manager = w.manager
	return w
}

func mkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
}

func (w *world) put(t *testing.T, path, text string) {
	t.Helper()
	mkdir(t, filepath.Dir(w.at(path)))
	if err := os.WriteFile(w.at(path), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (w *world) read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(w.at(path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// tree is everything that lies in the world, with modes and contents.
func (w *world) tree(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(w.Root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		about := info.Mode().String()
		switch {
		case info.Mode().IsRegular():
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			about += " " + string(text)
		case info.Mode().Type() == fs.ModeSymlink:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			about += " " + target
		}
		all[w.from(path)] = about
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// sameTree tells of every difference.
func sameTree(t *testing.T, got, want map[string]string) {
	t.Helper()
	for _, path := range slices.Sorted(maps.Keys(want)) {
		if about, there := got[path]; !there {
			t.Errorf("%s is gone", path)
		} else if about != want[path] {
			t.Errorf("%s is %q, want %q", path, about, want[path])
		}
	}
	for _, path := range slices.Sorted(maps.Keys(got)) {
		if _, there := want[path]; !there {
			t.Errorf("%s is left: %q", path, got[path])
		}
	}
}

// memory is a manager that has read the files of the units that it opened, and remembers that in a file, as managers outlive rouse:
// by each open unit the text that it had then, and by "boot " and its name each one that comes back at every boot.
type memory struct {
	sys     *System
	path    string
	calls   []string
	holders []Holder
	shipped []Units
	silent  error
	awake   bool // every service
	// meet is asked before and after every call, and may fail it.
	meet     func(call string) error
	problems []error // calls against the contract
}

// loaded are the open units.
func (m *memory) loaded() map[string]string {
	all := m.remembered()
	maps.DeleteFunc(all, func(unit, _ string) bool { return strings.HasPrefix(unit, "boot ") })
	return all
}

func (m *memory) remembered() map[string]string {
	all := map[string]string{}
	text, err := os.ReadFile(m.path)
	if errors.Is(err, fs.ErrNotExist) {
		return all
	}
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil {
		m.problems = append(m.problems, err)
	}
	return all
}

func (m *memory) call(name string, do func(map[string]string)) error {
	m.calls = append(m.calls, name)
	if m.meet != nil {
		if err := m.meet(name); err != nil {
			return err
		}
	}
	m.change(do)
	if m.meet != nil {
		return m.meet(name + " done")
	}
	return nil
}

func (m *memory) change(do func(map[string]string)) {
	all := m.remembered()
	do(all)
	text, err := json.Marshal(all)
	if err == nil {
		err = os.WriteFile(m.path, text, 0o600)
	}
	if err != nil {
		m.problems = append(m.problems, err)
	}
}

// stop and start are what an administrator does: to units, and with "boot " in front to what enables them.
func (m *memory) stop(what ...string) {
	m.change(func(all map[string]string) {
		for _, one := range what {
			delete(all, one)
		}
	})
}

func (m *memory) start(what ...string) {
	m.change(func(all map[string]string) {
		for _, one := range what {
			all[one] = ""
			if !strings.HasPrefix(one, "boot ") {
				all[one], _ = m.text(one)
			}
		}
	})
}

// text is that of a unit's file; there is none: false.
func (m *memory) text(unit string) (string, bool) {
	text, err := os.ReadFile(m.sys.at(filepath.Join(m.sys.Paths("x").Units, filepath.Base(unit))))
	return string(text), err == nil
}

func (m *memory) wrong(format string, values ...any) {
	m.problems = append(m.problems, fmt.Errorf(format, values...))
}

func (m *memory) Ready(context.Context) error { return m.silent }

func (m *memory) Open(_ context.Context, u Units, changed []string) error {
	return m.call("open", func(all map[string]string) {
		for _, unit := range u.all() {
			text, there := m.text(unit)
			if !there {
				m.wrong("%s is to be opened, and has no file", unit)
			}
			if old, open := all[unit]; open && old != text && !slices.Contains(changed, unit) {
				m.wrong("%s has changed, and nobody says so", unit)
			}
			all[unit] = text
		}
		for _, unit := range u.atBoot() {
			all["boot "+unit] = ""
		}
		for _, unit := range changed {
			if !slices.Contains(u.all(), unit) {
				m.wrong("%s has changed, and is none of the site's", unit)
			}
		}
	})
}

func (m *memory) Close(_ context.Context, u Units) error {
	return m.call("close", func(all map[string]string) {
		for _, unit := range u.all() {
			delete(all, unit)
			delete(all, "boot "+unit)
		}
	})
}

func (m *memory) Standing(_ context.Context, u Units) (map[string]Standing, error) {
	standing := map[string]Standing{}
	err := m.call("standing", func(all map[string]string) {
		for _, unit := range u.all() {
			_, active := all[unit]
			_, enabled := all["boot "+unit]
			standing[unit] = Standing{Enabled: enabled, Active: active}
		}
	})
	return standing, err
}

func (m *memory) Restore(_ context.Context, u Units, before map[string]Standing, changed []string) error {
	return m.call("restore", func(all map[string]string) {
		for _, unit := range u.all() {
			text, _ := m.text(unit)
			if old, open := all[unit]; open && before[unit].Active && old != text && !slices.Contains(changed, unit) {
				m.wrong("%s has changed, and nobody says so", unit)
			}
			delete(all, unit)
			delete(all, "boot "+unit)
			if before[unit].Active {
				all[unit] = text
			}
			if before[unit].Enabled {
				all["boot "+unit] = ""
			}
		}
	})
}

func (m *memory) Forget(_ context.Context, u Units) error {
	return m.call("forget", func(all map[string]string) {
		for _, unit := range u.all() {
			if _, open := all[unit]; open {
				m.wrong("%s is to be forgotten, and is open", unit)
			}
			if text, there := m.text(unit); there && strings.HasPrefix(text, "# Written by rouse install") {
				m.wrong("%s is to be forgotten, and its file is there", unit)
			}
		}
	})
}

func (m *memory) State(_ context.Context, u Units) (State, error) {
	state := State{Sockets: "closed", Awake: m.awake}
	for _, unit := range u.Sockets {
		text, open := m.loaded()[unit]
		if !open {
			continue
		}
		state.Sockets = "open"
		for line := range strings.Lines(text) {
			if address, ok := strings.CutPrefix(strings.TrimSpace(line), "ListenStream="); ok {
				state.Listen = append(state.Listen, address)
			}
		}
	}
	return state, nil
}

func (m *memory) Holders(context.Context) ([]Holder, error) { return m.holders, nil }
func (m *memory) Shipped(context.Context) ([]Units, error)  { return m.shipped, nil }

func (m *memory) Restart(_ context.Context, u Units) error {
	return m.call("restart", func(map[string]string) {})
}

// site is one of serve, with a certificate and two sockets.
func (w *world) site(t *testing.T, name string) Site {
	t.Helper()
	return Site{
		Name: name, Command: "serve", Program: "/usr/bin/rouse",
		Variables:   []Variable{{"SERVER_ROOT", "/srv/www"}},
		HostNames:   []string{"localhost"},
		Certificate: makePair(t, selfSigned, "localhost"),
		Sockets: []Socket{
			{Name: "https", Listen: []string{"127.0.0.1:8443", "[::1]:8443"}, URL: "https://localhost:8443", ClientFirst: true},
			{Name: "http", Listen: []string{"127.0.0.1:8080"}, URL: "http://localhost:8080", ClientFirst: true},
		},
	}
}

// makePair is a self-signed certificate of that organization.
func makePair(t *testing.T, organization string, hosts ...string) *Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signPair(t, key, organization, hosts...)
}

func signPair(t *testing.T, key *ecdsa.PrivateKey, organization string, hosts ...string) *Certificate {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{Organization: []string{organization}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), DNSNames: hosts,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return &Certificate{
		Chain: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		Key:   pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
	}
}

// renewed is the pair with another certificate for the same key.
func renewed(t *testing.T, pair *Certificate, organization string, hosts ...string) *Certificate {
	t.Helper()
	block, _ := pem.Decode(pair.Key)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return signPair(t, key.(*ecdsa.PrivateKey), organization, hosts...)
}

// install makes and applies a plan, which has to work.
func (w *world) install(t *testing.T, site Site, o ApplyOptions) Result {
	t.Helper()
	result, err := w.try(t.Context(), site, o)
	if err != nil {
		t.Fatal(err)
	}
	w.contract(t)
	return result
}

func (w *world) try(ctx context.Context, site Site, o ApplyOptions) (Result, error) {
	plan, err := Make(site, w.System)
	if err != nil {
		return Result{}, err
	}
	return Apply(ctx, site, plan, w.System, o)
}

// contract tells of calls that a manager need not take.
func (w *world) contract(t *testing.T) {
	t.Helper()
	for _, err := range w.manager.problems {
		t.Error(err)
	}
	w.manager.problems = nil
}
