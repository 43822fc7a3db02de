// Package hostname finds what belongs to a host name, as virtual hosts and their certificates need it.
package hostname

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// longest is the most bytes that a host name has (RFC 1035 §2.3.4, without the root's).
const longest = 253

// Table holds a value for each of some host names. The zero value is empty. It is filled first and then only read.
type Table[T any] struct {
	exact map[string]T
	below map[string]T // by what follows the *, with its dot
}

// Add puts a value behind a name, an IP address, or a pattern such as *.example.com, which stands for all names below
// example.com that have no entry of their own and are not below a longer pattern.
func (t *Table[T]) Add(name string, value T) error {
	to, key := &t.exact, strings.TrimSuffix(strings.ToLower(name), ".") // not Canonical: a port is a mistake here
	if rest, ok := strings.CutPrefix(key, "*"); ok {
		to, key = &t.below, rest
		if !strings.HasPrefix(rest, ".") {
			return fmt.Errorf("%q is neither a host name nor a pattern such as *.example.com", name)
		}
	}
	if address, err := netip.ParseAddr(key); err == nil {
		key = address.String() // as browsers write it (RFC 5952)
	} else if !valid(strings.TrimPrefix(key, ".")) || to == &t.exact && key[0] == '.' {
		return fmt.Errorf("%q is neither a host name nor an IP address (without a port)", name)
	}
	if _, twice := (*to)[key]; twice {
		return fmt.Errorf("%q stands there twice", name)
	}
	if *to == nil {
		*to = map[string]T{}
	}
	(*to)[key] = value
	return nil
}

// Find returns the value for a host as a Host header or a TLS client names it; a port is left out of account.
func (t *Table[T]) Find(host string) (value T, ok bool) {
	if len(t.exact) == 0 && len(t.below) == 0 {
		return value, false
	}
	if len(host) > longest+len(".:65535") { // clients choose it, and each of its dots costs a look
		return value, false
	}
	name := Canonical(host)
	if value, ok = t.exact[name]; ok {
		return value, true
	}
	for at := strings.IndexByte(name, '.'); at >= 0; {
		if value, ok = t.below[name[at:]]; ok {
			return value, true
		}
		next := strings.IndexByte(name[at+1:], '.')
		if next < 0 {
			break
		}
		at += 1 + next
	}
	return value, false
}

// Canonical is a host in lower case (RFC 9110 §4.2.3) without port, brackets and the dot of the root zone.
func Canonical(host string) string {
	if strings.Contains(host, ":") { // SplitHostPort's error for a bare name would cost an allocation
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		} else if inside, ok := strings.CutPrefix(host, "["); ok {
			host = strings.TrimSuffix(inside, "]")
		}
	}
	return strings.TrimSuffix(strings.ToLower(host), ".")
}

func valid(name string) bool {
	foreign := func(r rune) bool {
		return r != '-' && r != '.' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
	}
	return name != "" && len(name) <= longest && !strings.Contains("."+name+".", "..") && !strings.ContainsFunc(name, foreign)
}
