package install

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// check tells what is wrong with a value of a property list.
type check func(value any) error

func isText(value any) error {
	text, ok := value.(string)
	if !ok || strings.ContainsRune(text, 0) {
		return fmt.Errorf("%#v is not a string", value)
	}
	return nil
}

func isString(value any) error {
	if value == "" {
		return errors.New("an empty string")
	}
	return isText(value)
}

func isBool(value any) error {
	if _, ok := value.(bool); !ok {
		return fmt.Errorf("%#v is neither true nor false", value)
	}
	return nil
}

func isPath(value any) error {
	if text, ok := value.(string); !ok || !path.IsAbs(text) {
		return fmt.Errorf("%#v is not an absolute path", value)
	}
	return nil
}

func between(least, most int) check {
	return func(value any) error {
		if number, ok := value.(int); !ok || number < least || number > most {
			return fmt.Errorf("%#v is not an integer from %d to %d", value, least, most)
		}
		return nil
	}
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
		for _, key := range slices.Sorted(maps.Keys(dict)) {
			check, ok := keys[key]
			if !ok {
				check, ok = keys["*"]
			}
			if !ok {
				return fmt.Errorf("key %q is not one of launchd's that Rouse knows", key)
			}
			if err := check(dict[key]); err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
		}
		return nil
	}
}

// isSockets accepts what stands below a name under Sockets: a dictionary, or an array of them. The entries of one name may
// not be of different kinds, since the program cannot tell them apart.
func isSockets(value any) error {
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	} else if len(list) == 0 {
		return fmt.Errorf("%#v has no socket in it", value)
	}
	kinds := map[bool]bool{}
	for i, one := range list {
		if err := dictOf(socketKeys())(one); err != nil {
			return fmt.Errorf("[%d]: %w", i, err)
		}
		if err := checkSocket(one.(map[string]any)); err != nil {
			return fmt.Errorf("[%d]: %w", i, err)
		}
		kinds[one.(map[string]any)["SockType"] == "dgram"] = true
	}
	if len(kinds) > 1 {
		return errors.New("sockets of different types under one name")
	}
	return nil
}

// checkSocket looks at the keys of a socket together.
func checkSocket(socket map[string]any) error {
	has := func(key string) bool { return socket[key] != nil }
	switch unix := has("SockPathName"); {
	case unix && (has("SockNodeName") || has("SockServiceName") || has("SockFamily") || has("SockProtocol")):
		return errors.New("SockPathName and keys of network sockets exclude each other")
	case !unix && !has("SockServiceName"):
		return errors.New("neither SockServiceName nor SockPathName, so launchd opens nothing")
	case !unix && has("SockPathMode"):
		return errors.New("SockPathMode without SockPathName")
	}
	return nil
}

// isService accepts a port, as an integer or as text, and the name of one in services(5).
func isService(value any) error {
	text, ok := value.(string)
	if number, err := strconv.Atoi(text); ok && err == nil {
		value = number
	} else if ok {
		return isString(value)
	}
	return between(1, 65535)(value)
}

// isMode accepts permission bits. Integers in property lists are decimal (438 is 0666): most modes that somebody wrote as in
// octal, such as 600 or 666, are too large to be one.
func isMode(value any) error {
	if mode, ok := value.(int); !ok || mode < 0 || mode > 0o777 {
		return fmt.Errorf("%#v is not a mode in decimal, from 0 to 511 (438 is 0666)", value)
	}
	return nil
}

// isUnixPath accepts what fits into sockaddr_un of macOS (104 bytes with the final zero, unix(4)).
func isUnixPath(value any) error {
	if err := isPath(value); err != nil {
		return err
	}
	if text := value.(string); len(text) > 103 {
		return fmt.Errorf("%q has %d bytes, and the path of a unix socket at most 103", text, len(text))
	}
	return nil
}
