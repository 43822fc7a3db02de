package install

import (
	"errors"
	"testing"
)

func TestList(t *testing.T) {
	w := newWorld(t, false)
	if all, err := List(t.Context(), w.System); err != nil || len(all) != 0 {
		t.Errorf("of nothing: %+v, %v", all, err)
	}
	w.install(t, w.site(t, "shop"), ApplyOptions{})
	w.install(t, w.site(t, "blog"), ApplyOptions{})
	w.manager.shipped = []Units{
		{Sockets: []string{"rouse.socket"}, Service: "rouse.service"},
		{Sockets: []string{"rouse-run@wiki.socket"}, Service: "rouse-run@wiki.service"},
		{Service: "rouse-dispatch.service", Boot: true},
	}
	all, err := List(t.Context(), w.System)
	if err != nil || len(all) != 5 {
		t.Fatalf("%+v, %v", all, err)
	}
	for i, want := range []Listed{
		{Name: "blog", Command: "serve", Log: "journalctl -u rouse-blog.service"},
		{Name: "shop", Command: "serve", Log: "journalctl -u rouse-shop.service"},
		{Name: "rouse", Command: "serve", Log: "journalctl -u rouse.service", Shipped: true},
		{Name: "rouse-run@wiki", Command: "run", Log: "journalctl -u rouse-run@wiki.service", Shipped: true},
		{Name: "rouse-dispatch", Command: "dispatch", Log: "journalctl -u rouse-dispatch.service", Shipped: true},
	} {
		got := all[i]
		if got.Name != want.Name || got.Command != want.Command || got.Log != want.Log || got.Shipped != want.Shipped || got.Half {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	if all[0].State.Sockets != "open" || len(all[0].URLs) != 2 || all[2].State.Sockets != "closed" {
		t.Errorf("%+v", all)
	}
	w.manager.silent = errors.New("no answer")
	all, err = List(t.Context(), w.System)
	if err != nil || len(all) != 2 || all[0].State.Trouble != "no answer" {
		t.Errorf("without a manager: %+v, %v", all, err)
	}
	if _, err := List(t.Context(), newSilent(t).System); err == nil {
		t.Error("a manager that does not answer has no sites")
	}
}

func newSilent(t *testing.T) *world {
	w := newWorld(t, false)
	w.manager.silent = errors.New("no answer")
	return w
}
