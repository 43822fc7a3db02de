package install

import "testing"

// Two dispatchers with one socket: the second would never start.
func TestSecondDispatcher(t *testing.T) {
	const end = ", where servers register: give this one another, by --socket /run/rouse/second.sock, or "
	for name, c := range map[string]struct {
		first, second string // rules
		options       [2]string
		user, shipped bool
		want          string
	}{
		"alone":               {},
		"the usual one":       {first: "fallback = \"x\"\n", want: "the dispatcher first has the socket /run/rouse/dispatch.sock" + end + "rouse uninstall first"},
		"of their rules":      {first: "socket = \"/run/a.sock\"\n", second: "socket = { path = \"/run/a.sock\", mode = \"0660\" }\n", want: "the dispatcher first has the socket /run/a.sock" + end},
		"another one":         {first: "\n", second: "socket = \"/run/rouse/b.sock\"\n"},
		"the first's is":      {first: "[socket]\npath = \"/run/a.sock\"\n"},
		"by an option":        {first: "\n", options: [2]string{"", "/run/rouse/second.sock"}},
		"the first by one":    {first: "\n", options: [2]string{"/run/rouse/first.sock", ""}},
		"option over rules":   {first: "\n", second: "socket = \"/run/rouse/b.sock\"\n", options: [2]string{"", usualDesk}, want: "the dispatcher first has"},
		"broken rules":        {first: "socket = ", want: "the dispatcher first has the socket /run/rouse/dispatch.sock"},
		"a package's":         {shipped: true, want: "rouse-dispatch.service has the socket /run/rouse/dispatch.sock" + end + "systemctl disable --now rouse-dispatch.service"},
		"beside a package's":  {shipped: true, second: "socket = \"/run/rouse/b.sock\"\n"},
		"one's own":           {user: true, first: "socket = \"/run/a.sock\"\n", want: "the dispatcher first has the socket"},
		"one's own elsewhere": {user: true, first: "\n", options: [2]string{"", "/run/b.sock"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.user)
			if c.shipped {
				w.manager.shipped = []Units{{Service: "rouse-dispatch.service", Boot: true}}
			}
			dispatcher := func(name, rules, option string) Site {
				w.put(t, "/etc/"+name+".toml", rules)
				site := Site{Name: name, Command: "dispatch", Program: "/usr/bin/rouse", Words: []string{"--config", "/etc/" + name + ".toml"}}
				if option != "" {
					site.Variables = []Variable{{"ROUSE_DISPATCH_SOCKET", option}}
				}
				return site
			}
			if c.first != "" {
				w.install(t, dispatcher("first", c.first, c.options[0]), ApplyOptions{})
			}
			second := dispatcher("second", c.second, c.options[1])
			isProblem(t, checkDispatcher(t.Context(), second, w.System), c.want)
			if c.want == "" { // the same again is no other one
				w.install(t, second, ApplyOptions{})
				isProblem(t, checkDispatcher(t.Context(), second, w.System), "")
			}
			isProblem(t, checkDispatcher(t.Context(), w.site(t, "second"), w.System), "")
		})
	}
}

func isProblem(t *testing.T, err error, want string) {
	t.Helper()
	var all []error
	if err != nil {
		all = append(all, err)
	}
	oneProblem(t, all, want)
}
