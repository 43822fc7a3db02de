package install

import (
	"strings"
	"testing"
)

func TestUnitText(t *testing.T) {
	u := shippedUnit("rouse-renew.timer", "Rouse looks", "Somebody looks")
	u.set("Description", "one", "two")
	u.drop("Persistent", "Nothing")
	u.explain("OnCalendar", "# Now and then.")
	u.after("OnCalendar", "# More.", "OnBootSec", "1h")
	got, err := u.text("# first", "# second")
	want := `# first
# second

[Unit]
Description=one
Description=two
Documentation=https://github.com/rouse-server/rouse

[Timer]
# Now and then.
OnCalendar=weekly
# More.
OnBootSec=1h
# Not all machines of a house at once.
RandomizedDelaySec=12h
AccuracySec=1h

[Install]
WantedBy=timers.target
`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
}

// What is replaced has to be there as it is shipped, and what comes out has to be a unit.
func TestUnitTextTellsMistakes(t *testing.T) {
	for want, change := range map[string]func(*unitText){
		"has no Nothing=":         func(u *unitText) { u.set("Nothing", "1") },
		"has no Else=":            func(u *unitText) { u.after("Else", "# x", "A", "b") },
		"has no Other=":           func(u *unitText) { u.explain("Other", "# x") },
		"has control characters":  func(u *unitText) { u.set("OnCalendar", "a\nnonsense") },
		"ends with a backslash":   func(u *unitText) { u.after("OnCalendar", "# x", "OnBootSec", `a\`) },
		"begins or ends with a b": func(u *unitText) { u.set("OnCalendar", " a") },
		"is not UTF-8":            func(u *unitText) { *u = *shippedUnit("rouse-renew.timer", "weekly", "\xff") },
		"line too long":           func(u *unitText) { u.set("OnCalendar", strings.Repeat("x", 5000)) },
		"has no OnCalendar=":      func(u *unitText) { u.drop("OnCalendar"); u.set("OnCalendar", "weekly") },
		"file does not exist":     func(u *unitText) { *u = *shippedUnit("rouse-nothing.service") },
		"rouse-renew.timer, as s": func(u *unitText) { u.set("Nothing", "1"); u.set("Else", "1") },
	} {
		u := shippedUnit("rouse-renew.timer")
		change(u)
		if got, err := u.text("#"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %q, %v; want an error with %q", got, err, want)
		}
	}
}

// Where all settings of a stretch go, its comments and the empty line between go too.
func TestUnitTextLeavesNoGap(t *testing.T) {
	u := shippedUnit("rouse.service")
	u.drop("PrivateNetwork", "IPAddressDeny", "RestrictAddressFamilies")
	got, err := u.text("#")
	if err != nil || strings.Contains(string(got), "\n\n\n") || strings.Contains(string(got), "No network") || strings.Contains(string(got), "Unix sockets only") {
		t.Errorf("got %s, %v", got, err)
	}
}
