package route

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// everyPort is the range of all ports.
func everyPort() Ports { return Ports{0, 65535} }

// Has tells whether the range has the port.
func (p Ports) Has(port uint16) bool { return p.First <= port && port <= p.Last }

// String writes the range as a file of rules has it: 443 or 8000-8999.
func (p Ports) String() string {
	switch {
	case p == everyPort():
		return "any"
	case p.First == p.Last:
		return strconv.Itoa(int(p.First))
	}
	return fmt.Sprintf("%d-%d", p.First, p.Last)
}

// maskedPort matches the ports of which the bits under the mask are those of port.
type maskedPort struct{ port, mask uint16 }

// masked splits the range into the fewest masked ports, of which there are 30 at most.
func (p Ports) masked() []maskedPort {
	var list []maskedPort
	for first, last := uint32(p.First), uint32(p.Last); first <= last; {
		size := uint32(1) << min(bits.TrailingZeros32(first|1<<16), bits.Len32(last-first+1)-1)
		list = append(list, maskedPort{uint16(first), uint16(^(size - 1))})
		first += size
	}
	return list
}

// parsePorts reads a port or a range of them.
func parsePorts(text string) (p Ports, err error) {
	first, last, ok := strings.Cut(text, "-")
	if !ok {
		last = first
	}
	a, err := strconv.ParseUint(first, 10, 16)
	b, wrong := strconv.ParseUint(last, 10, 16)
	switch {
	case err != nil || wrong != nil || a == 0 || b == 0:
		return p, fmt.Errorf("%q is no port; write a number from 1 to 65535, or a range such as 8000-8999", text)
	case a > b:
		return p, fmt.Errorf("the range %q goes backwards; write %d-%d", text, b, a)
	}
	return Ports{uint16(a), uint16(b)}, nil
}

func (p ports) masked() []maskedPort {
	var list []maskedPort
	for _, r := range p {
		list = append(list, r.masked()...)
	}
	return list
}
