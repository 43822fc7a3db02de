package activation

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// job is what launchd has for this process: descriptors by key, each given once, and errors for some keys.
type job struct {
	sockets map[string][]int
	errs    map[string]error
	asked   []string
}

func (j *job) take(key string) ([]int, error) {
	first := !slices.Contains(j.asked, key)
	j.asked = append(j.asked, key)
	if err := j.errs[key]; err != nil {
		return nil, fmt.Errorf("launchd socket %q: %w", key, err)
	}
	numbers, ok := j.sockets[key]
	switch {
	case !ok:
		return nil, fmt.Errorf("launchd socket %q: %w", key, syscall.ESRCH)
	case !first:
		return nil, fmt.Errorf("launchd socket %q: %w", key, syscall.EALREADY)
	}
	return numbers, nil
}

func (j *job) opener() *Opener {
	o := opener()
	o.launchd = j.take
	return o
}

// A property list may call its sockets by any of the usual keys, in either case, and all that exist are served.
func TestLaunchdUsualKeys(t *testing.T) {
	for want, sockets := range map[string]map[string][]int{
		"launchd:Listeners=3 launchd:Listeners=4":                                {"Listeners": {3, 4}},
		"launchd:listeners=5":                                                    {"listeners": {5}},
		"launchd:listeners=3 launchd:Listeners=4 launchd:https=5 launchd:http=6": {"http": {6}, "https": {5}, "Listeners": {4}, "listeners": {3}, "other": {7}},
		"launchd:https=3 launchd:https=4 launchd:http=5 launchd:http=6":          {"https": {3, 4}, "http": {5, 6}},
	} {
		o := (&job{sockets: sockets}).opener()
		found, err := o.inherited(address(t, "launchd:"))
		if err != nil || written(found) != want {
			t.Errorf("%q, %v, want %q", written(found), err, want)
		}
		for _, d := range found {
			if d.Source != "launchd:"+d.Name {
				t.Errorf("%+v: the name is not the key", d)
			}
		}
	}
}

// A key that the system does not know, in any of the ways to say so, is passed over; what launchd refuses is told.
func TestLaunchdErrors(t *testing.T) {
	for _, cause := range []error{syscall.ESRCH, syscall.ENOENT, errors.ErrUnsupported} {
		errs := map[string]error{}
		for _, key := range usualKeys() {
			errs[key] = cause
		}
		_, err := (&job{errs: errs}).opener().inherited(address(t, "launchd:"))
		expectError(t, cause.Error(), err, "no sockets under listeners, Listeners, https, http")
		if !errors.Is(err, cause) || !absent(err) {
			t.Errorf("%v is not %v", err, cause)
		}
		delete(errs, "https")
		found, err := (&job{errs: errs, sockets: map[string][]int{"https": {3}}}).opener().inherited(address(t, "launchd:"))
		if err != nil || written(found) != "launchd:https=3" {
			t.Errorf("%v for the others: %v, %v", cause, found, err)
		}
		_, err = (&job{errs: map[string]error{"web": cause}}).opener().inherited(address(t, "launchd:web"))
		if !errors.Is(err, cause) {
			t.Errorf("launchd:web gives %v for %v", err, cause)
		}
	}
	for _, cause := range []error{syscall.EALREADY, syscall.EINVAL, syscall.EPERM} {
		refused := func() *Opener {
			return (&job{errs: map[string]error{"https": cause}, sockets: map[string][]int{"Listeners": {3}}}).opener()
		}
		for _, text := range []string{"launchd:", "launchd:https"} {
			if found, err := refused().inherited(address(t, text)); !errors.Is(err, cause) || absent(err) || found != nil {
				t.Errorf("%s: %v, %v, want %v", text, found, err, cause)
			}
		}
		if found, err := refused().Find(nil); !errors.Is(err, cause) || len(found.Descriptors) > 0 {
			t.Errorf("found %v, %v beside %v", found, err, cause)
		}
	}
}

// launchd hands a key's sockets out once per process: whoever asks again gets the same ones, so that `launchd:` beside
// `launchd:https` is a clash of two addresses and not a riddle about EALREADY.
func TestLaunchdRemembers(t *testing.T) {
	j := &job{sockets: map[string][]int{"https": {3}, "web": {4}}}
	o := j.opener()
	for range 2 {
		for text, want := range map[string]string{"launchd:": "launchd:https=3", "launchd:https": "launchd:https=3", "launchd:web": "launchd:web=4"} {
			if found, err := o.inherited(address(t, text)); err != nil || written(found) != want {
				t.Errorf("%s: %q, %v", text, written(found), err)
			}
		}
	}
	if count := len(slices.DeleteFunc(j.asked, func(key string) bool { return key != "https" })); count != 1 {
		t.Errorf("launchd was asked %d times for one key", count)
	}
	if keys := slices.Sorted(maps.Keys(o.launched)); strings.Join(keys, " ") != "https web" {
		t.Errorf("remembered: %q", keys)
	}
}
