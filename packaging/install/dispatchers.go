package install

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// usualDesk is the socket of dispatchers where servers register, unless their rules or options say otherwise.
const usualDesk = "/run/rouse/dispatch.sock"

// checkDispatcher tells of another dispatcher with the same socket: only one of them could have it.
func checkDispatcher(ctx context.Context, site Site, sys System) error {
	if site.Command != "dispatch" {
		return nil
	}
	desk := ""
	for _, v := range site.Variables {
		if v.Name == deskOption {
			desk = v.Value
		}
	}
	desk = sys.desk(desk, rulesOf(site.Words))
	taken := func(by, end string) error {
		return Problem{Text: fmt.Sprintf("%s has the socket %s, where servers register: give this one another, by --socket /run/rouse/%s.sock, or %s", by, desk, site.Name, end)}
	}
	for _, other := range others(sys, site.Name) {
		if other.Command == "dispatch" && sys.deskOf(other) == desk {
			return taken("the dispatcher "+other.Name, "rouse "+uninstalling(other.Name, sys))
		}
	}
	shipped, err := sys.Manager.Shipped(ctx)
	if err != nil {
		return err
	}
	const service = "rouse-dispatch.service"
	for _, units := range shipped {
		if units.Service == service && sys.desk("", "/etc/rouse/dispatch.toml") == desk {
			return taken(service, "systemctl disable --now "+service)
		}
	}
	return nil
}

const deskOption = "ROUSE_DISPATCH_SOCKET"

// deskOf is the socket of an installed dispatcher: as its file of variables and its unit are now, since people edit both. One
// whose rules lie in a place with a blank in its name counts as having the usual one.
func (s System) deskOf(r *Record) string {
	paths := s.Paths(r.Name)
	desk := ""
	text, _ := os.ReadFile(s.at(paths.Variables))
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), deskOption+"="); ok {
			desk = strings.Trim(value, `"'`)
		}
	}
	unit, _ := os.ReadFile(s.at(paths.Unit(".service")))
	return s.desk(desk, strings.ReplaceAll(rulesOf(strings.Fields(string(unit))), "%%", "%"))
}

// rulesOf is the file of rules that a dispatcher's words name; empty: none.
func rulesOf(words []string) string {
	for i, word := range words {
		if rules, ok := strings.CutPrefix(word, "--config="); ok {
			return rules
		}
		if word == "--config" {
			rest := slices.DeleteFunc(slices.Clone(words[i+1:]), func(word string) bool { return word == `\` })
			return strings.Join(rest[:min(1, len(rest))], "")
		}
	}
	return ""
}

// desk is the socket that a dispatcher has by its option and its rules, whose key is a path or a table. Rules that cannot be read
// say nothing; whoever reads them tells of that.
func (s System) desk(option, rules string) string {
	var top struct{ Socket any }
	if text, err := os.ReadFile(s.at(rules)); err == nil && option == "" && (!s.User || s.OS == "darwin") { // a user's unit has a path of its own
		if err := toml.Unmarshal(text, &top); err != nil {
			top.Socket = nil
		}
	}
	said, _ := top.Socket.(string)
	if table, ok := top.Socket.(map[string]any); ok {
		said, _ = table["path"].(string)
	}
	return cmp.Or(option, said, usualDesk)
}
