package route

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// everywhere is the prefix that matches every address, also one that is not known.
func everywhere() Prefix { return Prefix{Address: netip.IPv6Unspecified()} }

// all is whether the prefix matches every address of every family.
func (p Prefix) all() bool { return p.Family == 0 && p.Mask == [16]byte{} }

// familyOf is 4, 6, or 0 for an address that is not known.
func familyOf(a netip.Addr) int {
	switch {
	case !a.IsValid():
		return 0
	case a.Is4() || a.Is4In6():
		return 4
	}
	return 6
}

// Matches tells whether the prefix has the address. IPv4 addresses may be given in either form; a zone is not looked at. An
// address that is not known (the zero Addr) is in no prefix but the one of everything.
func (p Prefix) Matches(a netip.Addr) bool {
	family := familyOf(a)
	if family == 0 || p.Family != 0 && p.Family != family {
		return p.all()
	}
	return masked(a.As16(), p.Mask) == p.Address.As16()
}

// masked leaves of an address what is under a mask.
func masked(address, mask [16]byte) [16]byte {
	for i := range address {
		address[i] &= mask[i]
	}
	return address
}

// leading is the mask of a prefix of n bits, from 0 to 128.
func leading(n int) (mask [16]byte) {
	for i := range n {
		mask[i/8] |= 0x80 >> (i % 8)
	}
	return mask
}

// ones counts the leading bits of a mask; ok is false where others follow them.
func ones(mask [16]byte) (n int, ok bool) {
	for n < 128 && mask[n/8]&(0x80>>(n%8)) != 0 {
		n++
	}
	return n, mask == leading(n)
}

// String writes the prefix as a file of rules has it, such as 192.0.2.0/24, 2001:db8::/32 or 2001:db8::1/ffff::ffff.
func (p Prefix) String() string {
	if p.all() {
		return "any"
	}
	n, plain := ones(p.Mask)
	address, mask, whole := p.Address, netip.AddrFrom16(p.Mask), 128
	if p.Family == 4 {
		address, mask, n, whole = address.Unmap(), netip.AddrFrom4([4]byte(p.Mask[12:])), n-96, 32
	}
	switch {
	case !plain:
		return address.String() + "/" + mask.String()
	case n == whole:
		return address.String()
	}
	return address.String() + "/" + strconv.Itoa(n)
}

// parsePrefix reads an address, an address/length or an address/mask; any stands for everything. IPv4 prefixes match IPv4
// alone, IPv6 prefixes IPv6 alone. cut is whether the address has bits outside the mask; they are gone in what is returned.
func parsePrefix(text string) (p Prefix, cut bool, err error) {
	if text == "any" {
		return everywhere(), false, nil
	}
	host, length, hasMask := strings.Cut(text, "/")
	address, err := netip.ParseAddr(host)
	switch {
	case err != nil:
		return p, false, fmt.Errorf("%q is no IP address; write an address, a prefix such as 192.0.2.0/24 or 2001:db8::/32, any, or @SET", host)
	case address.Zone() != "":
		return p, false, fmt.Errorf("a zone cannot be matched; leave %%%s out, and give the listener an interface", address.Zone())
	}
	p.Family = familyOf(address)
	p.Mask = leading(128)
	if hasMask {
		if p.Mask, err = parseMask(length, address); err != nil {
			return p, false, err
		}
	}
	whole := address.As16()
	p.Address = netip.AddrFrom16(masked(whole, p.Mask))
	return p, p.Address.As16() != whole, nil
}

// parseMask reads what follows the slash: a number of bits, or a mask that is written as an address.
func parseMask(text string, of netip.Addr) (mask [16]byte, err error) {
	most, first := 128, 0
	if of.Is4() {
		most, first = 32, 96
	}
	if m, err := netip.ParseAddr(text); err == nil {
		mask = m.As16()
		switch {
		case m.Is4() != of.Is4():
			return mask, fmt.Errorf("the mask %s is of the other family than %s; write both alike", text, of)
		case m.Is4():
			four := m.As4()
			mask = leading(96)
			copy(mask[12:], four[:])
		}
	} else {
		n, err := strconv.ParseUint(text, 10, 8)
		if err != nil || int(n) > most {
			return mask, fmt.Errorf("%q is no mask; write a number from 0 to %d, or a mask such as %s", text, most, map[bool]string{true: "255.255.0.0", false: "ffff:ffff::"}[of.Is4()])
		}
		mask = leading(first + int(n))
	}
	if of.Is4In6() && masked(mask, leading(96)) != leading(96) {
		return mask, fmt.Errorf("a mask that leaves out some of the first 96 bits makes no IPv4 prefix of %s; write %s and an IPv4 mask", of, of.Unmap())
	}
	return mask, nil
}
