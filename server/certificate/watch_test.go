package certificate

import (
	"context"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const interval = 2 * time.Second

// watched is a folder whose pair is being watched, in the time of a synctest bubble: a look costs no real time.
type watched struct {
	*testing.T
	store   *Store
	times   time.Time   // of the file written last
	reports chan string // what Watch has reported and expect has not taken
}

// watching runs play while Watch looks at the files tls.crt and tls.key of dir.
func watching(t *testing.T, dir string, play func(w *watched)) {
	t.Helper()
	store, err := Open(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		w := &watched{T: t, store: store, times: time.Now(), reports: make(chan string, 100)}
		go store.Watch(ctx, interval, func(leaf *x509.Certificate, err error) {
			if err != nil {
				w.reports <- err.Error()
			} else {
				w.reports <- leaf.Subject.CommonName
			}
		})
		w.expect(3) // nothing happens to a pair that stands still
		play(w)
	})
}

// expect lets Watch look n times and compares its reports, each by a part of it, with wants.
func (w *watched) expect(n int, wants ...string) {
	w.Helper()
	time.Sleep(time.Duration(n) * interval)
	synctest.Wait()
	var got []string
	for len(w.reports) > 0 {
		got = append(got, <-w.reports)
	}
	if len(got) != len(wants) {
		w.Fatalf("reports %q, want %q", got, wants)
	}
	for i := range got {
		if !strings.Contains(got[i], wants[i]) {
			w.Fatalf("report %q, want %q", got[i], wants[i])
		}
	}
}

// write changes a file in place, as time goes by: real time stands nearly still, so that the kernel's clock (4 ms) could
// give two writes the same second and fraction.
func (w *watched) write(file, text string) {
	w.Helper()
	write(w.T, file, text)
	w.times = w.times.Add(time.Second)
	if err := os.Chtimes(file, w.times, w.times); err != nil {
		w.Fatal(err)
	}
}

// rename writes a new file and renames it over the old one.
func (w *watched) rename(file, text string) {
	w.Helper()
	w.write(file+".new", text)
	if err := os.Rename(file+".new", file); err != nil {
		w.Fatal(err)
	}
}

func TestWatchReplacements(t *testing.T) {
	first, second := newPair(t, "first.example"), newPair(t, "second.example")
	for name, play := range map[string]func(w *watched){
		"renamed": func(w *watched) {
			w.rename(w.store.KeyFile(), second.key)
			w.rename(w.store.CertFile(), second.cert)
			w.expect(4, "second.example")
		},
		"in place": func(w *watched) {
			w.write(w.store.CertFile(), second.cert)
			w.write(w.store.KeyFile(), second.key)
			w.expect(4, "second.example")
		},
		"certificate first, key at once": func(w *watched) {
			w.rename(w.store.CertFile(), second.cert)
			w.expect(1)
			w.rename(w.store.KeyFile(), second.key)
			w.expect(4, "second.example")
		},
		"certificate first, key much later": func(w *watched) {
			w.rename(w.store.CertFile(), second.cert)
			w.expect(5, "does not belong")
			w.rename(w.store.KeyFile(), second.key)
			w.expect(4, "second.example")
		},
		"in place, half written at a look": func(w *watched) {
			w.write(w.store.KeyFile(), second.key)
			w.write(w.store.CertFile(), second.cert[:100])
			w.expect(1)
			w.write(w.store.CertFile(), second.cert)
			w.expect(4, "second.example")
		},
		"removed and back": func(w *watched) {
			if err := os.Remove(w.store.KeyFile()); err != nil {
				w.Fatal(err)
			}
			w.expect(5, "no such file")
			w.write(w.store.KeyFile(), first.key)
			w.expect(4, "first.example")
		},
		"broken twice, each told once": func(w *watched) {
			w.write(w.store.CertFile(), "")
			w.expect(9, "empty")
			w.write(w.store.CertFile(), "nonsense")
			w.expect(9, "not a PEM file")
			w.rename(w.store.KeyFile(), second.key)
			w.rename(w.store.CertFile(), second.cert)
			w.expect(4, "second.example")
			w.write(w.store.CertFile(), second.cert+"\n")
			w.expect(4)
		},
		"reloaded by hand": func(w *watched) {
			w.rename(w.store.CertFile(), second.cert)
			w.rename(w.store.KeyFile(), second.key)
			if changed, err := w.store.Reload(); !changed || err != nil {
				w.Fatalf("changed %t, %v", changed, err)
			}
			w.expect(4)
		},
	} {
		t.Run(name, func(t *testing.T) {
			certFile, _ := first.files(t)
			watching(t, filepath.Dir(certFile), play)
		})
	}
}

// Kubernetes and certbot: the path stays, a link on the way is swapped.
func TestWatchLinks(t *testing.T) {
	pairs := map[string]pair{"v1": newPair(t, "first.example"), "v2": newPair(t, "second.example")}
	for name, links := range map[string]map[string]string{
		"folder swapped": {"tls.crt": "..data/tls.crt", "tls.key": "..data/tls.key", "..data": "v1"},
		"files swapped":  {"tls.crt": "v1/tls.crt", "tls.key": "v1/tls.key"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for version, p := range pairs {
				if err := os.Mkdir(filepath.Join(dir, version), 0o700); err != nil {
					t.Fatal(err)
				}
				write(t, filepath.Join(dir, version, "tls.crt"), p.cert)
				write(t, filepath.Join(dir, version, "tls.key"), p.key)
			}
			link := func(target, name string) {
				temporary := filepath.Join(dir, "..new")
				if err := os.Symlink(target, temporary); err != nil {
					t.Fatal(err)
				}
				if err := os.Rename(temporary, filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
			}
			for name, target := range links {
				link(target, name)
			}
			watching(t, dir, func(w *watched) {
				for name, target := range links {
					if strings.HasPrefix(target, "v1") {
						link("v2"+target[2:], name)
					}
				}
				w.expect(4, "second.example")
			})
		})
	}
}

// What is written between stat and read, within the resolution of the file times, leaves the state as it was seen.
func TestLookReadsTwice(t *testing.T) {
	second := newPair(t, "second.example")
	s := newPair(t, "first.example").open(t)
	write(t, s.CertFile(), second.cert)
	write(t, s.KeyFile(), second.key)
	w := watch{seen: stateOf(s.CertFile(), s.KeyFile())}
	reports := 0
	for range 3 {
		w.look(s, func(*x509.Certificate, error) { reports++ })
	}
	if reports != 1 || s.Leaf().Subject.CommonName != "second.example" {
		t.Errorf("%d reports, leaf %s", reports, s.Leaf().Subject)
	}
}

func TestWatchOfNothing(t *testing.T) {
	d, err := OpenDevelopment("", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	d.Store.Watch(t.Context(), time.Millisecond, nil)
	newPair(t, "first.example").open(t).Watch(t.Context(), 0, nil)
	if changed, err := d.Store.Reload(); changed || err != nil {
		t.Errorf("changed %t, %v", changed, err)
	}
}

// Files that have stood still for long are not read again; others may have changed while they were read, and are.
func TestOpeningLooksOnce(t *testing.T) {
	s := newPair(t, "first.example").open(t)
	for after, settled := range map[time.Duration]bool{0: false, fileStep / 2: false, 2 * fileStep: true, -time.Hour: false} {
		if got := opening(s.CertFile(), s.KeyFile(), time.Now().Add(after)).settled; got != settled {
			t.Errorf("%s after they changed the files are settled: %t", after, got)
		}
	}
	if opening(s.CertFile(), s.KeyFile()+".gone", time.Now().Add(time.Hour)).settled {
		t.Error("a file that is not there is settled")
	}
}
