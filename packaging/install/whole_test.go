package install

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
)

// errStep ends an installation at a step.
var errStep = errors.New("the step failed")

// countdown is a context that ends when it is asked for the nth time, which is before every step.
type countdown struct {
	context.Context
	left *int
	end  func() error
}

func (c countdown) Err() error {
	*c.left--
	if *c.left < 0 {
		return c.end()
	}
	return nil
}

// stages are installations of different kinds: what there was before, and what is installed.
func stages() map[string]func(*testing.T, *world) Site {
	return map[string]func(*testing.T, *world) Site{
		"new": func(t *testing.T, w *world) Site { return w.site(t, "blog") },
		"over another one": func(t *testing.T, w *world) Site {
			site := w.site(t, "blog")
			w.install(t, site, ApplyOptions{})
			site.Variables = []Variable{{"SERVER_ROOT", "/srv/other"}}
			site.Sockets = []Socket{{Name: "http", Listen: []string{"8080"}}, {Name: "admin", Listen: []string{"127.0.0.1:9000"}}}
			site.Certificate = nil
			return site
		},
		"over one that was stopped": func(t *testing.T, w *world) Site {
			site := w.site(t, "blog")
			w.install(t, site, ApplyOptions{})
			w.manager.stop("rouse-blog.service", "rouse-blog.socket", "boot rouse-blog-http.socket", "rouse-blog-renew.timer", "boot rouse-blog-renew.timer")
			site.Variables = []Variable{{"SERVER_ROOT", "/srv/other"}}
			site.Sockets = append(site.Sockets[1:], Socket{Name: "admin", Listen: []string{"127.0.0.1:9000"}})
			return site
		},
		"over the same, stopped": func(t *testing.T, w *world) Site {
			site := w.site(t, "blog")
			w.install(t, site, ApplyOptions{})
			w.manager.stop("rouse-blog.service", "rouse-blog-http.socket", "boot rouse-blog.socket")
			return site
		},
		"over files of somebody": func(t *testing.T, w *world) Site {
			w.put(t, w.Paths("blog").Unit(".service"), "mine\n")
			w.put(t, w.Paths("blog").Variables, "mine too\n")
			return w.site(t, "blog")
		},
		"beside another one": func(t *testing.T, w *world) Site {
			w.install(t, w.site(t, "other"), ApplyOptions{})
			return w.site(t, "blog")
		},
	}
}

// ends are the ways in which an installation comes to its end early, at the nth chance for it. They return whether there was one.
func ends() map[string]func(w *world, site Site, n int) (error, bool) {
	meet := func(w *world, n int, fail func() error) func() bool {
		met := 0
		w.manager.meet = func(string) error {
			if met++; met == n+1 { // what comes later puts things back
				return fail()
			}
			return nil
		}
		return func() bool { w.manager.meet = nil; return met > n }
	}
	return map[string]func(*world, Site, int) (error, bool){
		"context before a step": func(w *world, site Site, n int) (error, bool) {
			left := n
			ctx := countdown{context.Background(), &left, func() error { return context.Canceled }}
			_, err := w.try(ctx, site, ApplyOptions{Force: true})
			return err, left < 0
		},
		"manager's error": func(w *world, site Site, n int) (error, bool) {
			met := meet(w, n, func() error { return errStep })
			_, err := w.try(context.Background(), site, ApplyOptions{Force: true})
			return err, met()
		},
		"context at the manager": func(w *world, site Site, n int) (error, bool) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			met := meet(w, n, func() error { cancel(); return ctx.Err() })
			_, err := w.try(ctx, site, ApplyOptions{Force: true})
			return err, met()
		},
	}
}

// An installation that comes to its end at any step leaves everything byte for byte as it was, and the manager too.
func TestAllOrNothing(t *testing.T) {
	for stage, prepare := range stages() {
		for way, end := range ends() {
			t.Run(stage+", "+way, func(t *testing.T) {
				t.Parallel()
				for n := 0; ; n++ {
					w := newWorld(t, n%2 == 1)
					site := prepare(t, w)
					if stage == "over files of somebody" {
						w.manager.start("rouse-blog.service", "boot rouse-blog.service")
					}
					before, open := w.tree(t), w.manager.remembered()
					err, ended := end(w, site, n)
					w.contract(t)
					if !ended {
						if err != nil || n < 2 {
							t.Fatalf("after %d steps: %v", n, err)
						}
						return
					}
					if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "everything is as it was") {
						t.Errorf("step %d: error %v", n, err)
					}
					sameTree(t, w.tree(t), before)
					if got := w.manager.remembered(); !maps.Equal(got, open) {
						t.Errorf("step %d: open and enabled are %q, were %q", n, got, open)
					}
					if t.Failed() {
						t.Fatalf("at step %d", n)
					}
				}
			})
		}
	}
}
