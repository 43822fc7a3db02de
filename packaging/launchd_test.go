package packaging

import (
	"fmt"
	"io/fs"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// launchd ignores keys that it does not know and says little of values that it cannot use, and there is no checker for
// its files. So every key that ours use stands here, with what launchd.plist(5) wants as its value.
func jobKeys() map[string]check {
	return map[string]check{
		"Label":                isString,
		"ProgramArguments":     eachOf(isString),
		"EnvironmentVariables": dictOf(anyKey(isString)),
		"Sockets":              dictOf(anyKey(eachOf(dictOf(socketKeys())))),
		"ProcessType":          oneOf("Background", "Standard", "Adaptive", "Interactive"),
		"ExitTimeOut":          isInteger,
		"StandardErrorPath":    isPath,
	}
}

func socketKeys() map[string]check {
	return map[string]check{
		"SockNodeName":    isString,
		"SockServiceName": isString, // or an integer; one spelling is enough
	}
}

func TestPropertyLists(t *testing.T) {
	names, err := fs.Glob(Files(), "launchd/*/*.plist")
	if err != nil || len(names) != 2 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			value, err := parsePlist(read(t, name))
			if err != nil {
				t.Fatal(err)
			}
			allowed := jobKeys()
			if strings.HasPrefix(name, "launchd/daemon/") { // launchd ignores it in an agent
				allowed["UserName"] = isString
			}
			if err := dictOf(allowed)(value); err != nil {
				t.Fatal(err)
			}
			job := value.(map[string]any)
			if want := strings.TrimSuffix(path.Base(name), ".plist"); job["Label"] != want {
				t.Errorf("Label %q, want the file's name %q", job["Label"], want)
			}
			if program := job["ProgramArguments"].([]any)[0].(string); !path.IsAbs(program) {
				t.Errorf("ProgramArguments[0] %q is not absolute", program)
			}
			checkEnvironment(t, job)
			checkSockets(t, job)
		})
	}
}

func checkEnvironment(t *testing.T, job map[string]any) {
	environment := job["EnvironmentVariables"].(map[string]any)
	for name := range environment {
		if !strings.HasPrefix(name, "SERVER_") {
			t.Errorf("variable %s is none of Rouse's", name)
		}
	}
	for _, name := range []string{"SERVER_ROOT", "SERVER_TLS_CERT", "SERVER_TLS_KEY"} {
		if value, _ := environment[name].(string); !path.IsAbs(value) {
			t.Errorf("%s=%q is not absolute: launchd starts jobs in /", name, value)
		}
	}
}

func checkSockets(t *testing.T, job map[string]any) {
	sockets := job["Sockets"].(map[string]any)
	if len(sockets) != 2 || sockets["https"] == nil || sockets["http"] == nil {
		t.Errorf("sockets %v, want the roles https and http", sockets)
	}
	for role, list := range sockets {
		var families []string
		for _, entry := range list.([]any) {
			entry := entry.(map[string]any)
			address, err := netip.ParseAddr(fmt.Sprint(entry["SockNodeName"]))
			if err != nil || !address.IsLoopback() {
				t.Errorf("%s: SockNodeName %v is open to others as shipped", role, entry["SockNodeName"])
			}
			families = append(families, strconv.Itoa(address.BitLen()))
			if port, err := strconv.Atoi(fmt.Sprint(entry["SockServiceName"])); err != nil || port < 1024 {
				t.Errorf("%s: SockServiceName %v", role, entry["SockServiceName"])
			}
		}
		// launchd always sets IPV6_V6ONLY, so one socket does not do for both.
		if !slices.Equal(families, []string{"32", "128"}) {
			t.Errorf("%s: address lengths %v, want one IPv4 and one IPv6 address", role, families)
		}
	}
}

// check tells what is wrong with a value of a property list.
type check func(value any) error

func isString(value any) error {
	if text, ok := value.(string); !ok || text == "" {
		return fmt.Errorf("%#v is not a string", value)
	}
	return nil
}

func isPath(value any) error {
	if text, ok := value.(string); !ok || !path.IsAbs(text) {
		return fmt.Errorf("%#v is not an absolute path", value)
	}
	return nil
}

func isInteger(value any) error {
	if _, ok := value.(int); !ok {
		return fmt.Errorf("%#v is not an integer", value)
	}
	return nil
}

func oneOf(words ...string) check {
	return func(value any) error {
		if text, ok := value.(string); !ok || !slices.Contains(words, text) {
			return fmt.Errorf("%#v is none of %q", value, words)
		}
		return nil
	}
}

func eachOf(item check) check {
	return func(value any) error {
		list, ok := value.([]any)
		if !ok || len(list) == 0 {
			return fmt.Errorf("%#v is not an array with something in it", value)
		}
		for i, value := range list {
			if err := item(value); err != nil {
				return fmt.Errorf("[%d]: %w", i, err)
			}
		}
		return nil
	}
}

// anyKey allows every key, with values of one kind.
func anyKey(value check) map[string]check { return map[string]check{"*": value} }

func dictOf(keys map[string]check) check {
	return func(value any) error {
		dict, ok := value.(map[string]any)
		if !ok || len(dict) == 0 {
			return fmt.Errorf("%#v is not a dictionary with something in it", value)
		}
		for key, value := range dict {
			check, ok := keys[key]
			if !ok {
				check, ok = keys["*"]
			}
			if !ok {
				return fmt.Errorf("key %q is not one that ours use", key)
			}
			if err := check(value); err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
		}
		return nil
	}
}
