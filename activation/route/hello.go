package route

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// Bounds of a ClientHello.
const (
	mostHello  = 64 << 10 // bytes that are looked at
	mostRecord = 1 << 14  // RFC 8446 §5.1
	mostName   = 255      // RFC 1035 §2.3.4
)

// errNotTLS says that the client begins with something else than a TLS ClientHello.
var errNotTLS = errors.New("the client does not begin with a TLS ClientHello")

// errHello says that the client begins as TLS does, but not with a ClientHello that can be read.
var errHello = errors.New("the client's TLS ClientHello cannot be read")

// readHello reads the TLS ClientHello (RFC 8446 §4.1.2) that a connection begins with: b is what has arrived of it so far. It
// returns the server name that the client asks for (RFC 6066 §3), in lower case and without the final dot, and the protocols
// that it offers (RFC 7301 §3.1), in its order; both are empty where the client says nothing of them. more says that bytes are
// missing, which only more of the connection can tell. The error wraps errNotTLS or errHello; it is never one with more.
func readHello(b []byte) (name string, alpn []string, more bool, err error) {
	message, more, err := helloMessage(b)
	if more || err != nil {
		return "", nil, more, err
	}
	list, err := helloExtensions(message)
	if err != nil {
		return "", nil, false, err
	}
	for list.left() {
		kind := list.number(2)
		value := list.part(2)
		switch kind {
		case 0:
			name, err = helloName(value)
		case 16:
			alpn, err = helloProtocols(value)
		}
		if err == nil && list.failed {
			err = fmt.Errorf("%w: an extension is longer than their list", errHello)
		}
		if err != nil {
			return "", nil, false, err
		}
	}
	return name, alpn, false, nil
}

// helloMessage puts the message together from the records that it is spread over.
func helloMessage(b []byte) (message []byte, more bool, err error) {
	const handshake, clientHello, header = 22, 1, 4
	seen := 0
	for {
		if len(b) > 0 && b[0] != handshake || len(b) > 1 && b[1] != 3 {
			return nil, false, notHello(seen)
		}
		if len(b) < 5 {
			return nil, true, nil
		}
		length := int(binary.BigEndian.Uint16(b[3:]))
		if length == 0 || length > mostRecord {
			return nil, false, notHello(seen)
		}
		part := b[5:min(len(b), 5+length)]
		message = append(message, part...)
		if len(message) > 0 && message[0] != clientHello {
			return nil, false, fmt.Errorf("%w: it begins with another message", errNotTLS)
		}
		if len(message) >= header {
			size := header + int(binary.BigEndian.Uint32(message)&0xffffff)
			if size > mostHello {
				return nil, false, fmt.Errorf("%w: it has %d bytes, and at most %d are looked at", errHello, size, mostHello)
			}
			if len(message) >= size {
				return message[header:size], false, nil
			}
		}
		if len(part) < length {
			return nil, true, nil
		}
		b, seen = b[5+length:], seen+1
	}
}

// notHello is the error of a record that is none of a handshake, after others that are.
func notHello(seen int) error {
	if seen == 0 {
		return errNotTLS
	}
	return fmt.Errorf("%w: record %d is not a part of it", errHello, seen+1)
}

// helloExtensions returns the list of extensions; empty where there is none.
func helloExtensions(message []byte) (cursor, error) {
	c := cursor{rest: message}
	c.take(2 + 32) // version, random
	c.part(1)      // session
	c.part(2)      // cipher suites
	c.part(1)      // compression
	if c.failed {
		return c, fmt.Errorf("%w: it is too short", errHello)
	}
	if !c.left() {
		return c, nil
	}
	list := cursor{rest: c.part(2)}
	if c.failed || c.left() {
		return c, fmt.Errorf("%w: its extensions do not end where it ends", errHello)
	}
	return list, nil
}

// helloName reads the extension server_name; names of other types than host_name are passed over.
func helloName(value []byte) (string, error) {
	c := cursor{rest: value}
	list := cursor{rest: c.part(2)}
	name := ""
	for list.left() {
		kind, text := list.number(1), list.part(2)
		if kind != 0 || list.failed {
			continue
		}
		if name != "" {
			return "", fmt.Errorf("%w: it asks for two server names", errHello)
		}
		name = strings.ToLower(strings.TrimSuffix(string(text), "."))
		if !validName(name) {
			return "", fmt.Errorf("%w: %.40q is no server name", errHello, name)
		}
	}
	if c.failed || c.left() || list.failed {
		return "", fmt.Errorf("%w: its server_name is cut off", errHello)
	}
	return name, nil
}

// validName tells whether a client may ask for the name: what reaches the log and the rules has no surprises in it.
func validName(name string) bool {
	return name != "" && len(name) <= mostName && !strings.ContainsFunc(name, func(r rune) bool {
		return !('a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '-' || r == '.' || r == '_' || r == ':')
	})
}

// helloProtocols reads the extension application_layer_protocol_negotiation.
func helloProtocols(value []byte) ([]string, error) {
	c := cursor{rest: value}
	list := cursor{rest: c.part(2)}
	var alpn []string
	for list.left() {
		one := list.part(1)
		if len(one) == 0 {
			list.failed = true
			break
		}
		alpn = append(alpn, string(one))
	}
	if c.failed || c.left() || list.failed {
		return nil, fmt.Errorf("%w: its list of protocols (ALPN) is cut off", errHello)
	}
	return alpn, nil
}

// cursor reads bytes from the front. What is not there is read as nothing, and marks it as failed.
type cursor struct {
	rest   []byte
	failed bool
}

func (c *cursor) left() bool { return len(c.rest) > 0 && !c.failed }

func (c *cursor) take(n int) []byte {
	if c.failed || n > len(c.rest) {
		c.failed = true
		return nil
	}
	b := c.rest[:n]
	c.rest = c.rest[n:]
	return b
}

// number reads one of n bytes, the highest first.
func (c *cursor) number(n int) (value int) {
	for _, b := range c.take(n) {
		value = value<<8 | int(b)
	}
	return value
}

// part reads what is preceded by its length in n bytes.
func (c *cursor) part(n int) []byte { return c.take(c.number(n)) }
