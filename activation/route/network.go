package route

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"

	"github.com/rouse-server/rouse/activation/handoff"
)

// errNotAllowed is what the backend hears where the list has nothing of what it wants.
const errNotAllowed = syscall.EACCES

// answer makes the socket of one request, in the network namespace of this process: it belongs to the caller. What the list does
// not have is refused (EACCES), and its text says what to change. The end of ctx ends the wait for a connection.
func (n Network) answer(ctx context.Context, r handoff.NetworkRequest) handoff.NetworkAnswer {
	a := handoff.NetworkAnswer{ID: r.ID, Number: -1}
	fd, err := -1, n.allow(&r)
	if err == nil {
		fd, a.Local, err = n.open(ctx, r)
	}
	switch errno, ok := errors.AsType[syscall.Errno](err); {
	case err == nil:
		a.Number = fd
	case errors.Is(err, syscall.EINPROGRESS):
		a.Number, a.Errno = fd, int(syscall.EINPROGRESS)
	case ok:
		a.Errno, a.Text = int(errno), err.Error()
	case errors.Is(err, context.Canceled):
		a.Errno, a.Text = int(syscall.ECONNABORTED), "the dispatcher ends"
	default:
		a.Errno, a.Text = int(syscall.EINVAL), err.Error()
	}
	return a
}

// refusal says what the list does not have.
type refusal string

func (r refusal) Error() string { return string(r) }
func (r refusal) Unwrap() error { return errNotAllowed }

// allow tells whether the list has what is asked for. Of a wildcard address that only one family may have, it leaves that one.
func (n Network) allow(r *handoff.NetworkRequest) error {
	if r.Type != "stream" {
		return fmt.Errorf("only streams are made for others, and no %s sockets: %w", r.Type, syscall.EPROTONOSUPPORT)
	}
	if err := sameFamily(r); err != nil {
		return err
	}
	switch r.Operation {
	case "listen":
		return n.allowLocal(r)
	case "connect":
		if !reaches(n.Connect, r.Remote) {
			return refusal(fmt.Sprintf("%s is not in the list of what it may connect to; add it to connect in its network, or leave it refused", unmapped(r.Remote)))
		}
		if r.Local.Port() == 0 {
			return nil // an address that the kernel routes by, and any port
		}
		return n.allowLocal(r)
	}
	return fmt.Errorf("%q is nothing that can be asked for: %w", r.Operation, syscall.EOPNOTSUPP)
}

// sameFamily refuses addresses that a socket of the family cannot have.
func sameFamily(r *handoff.NetworkRequest) error {
	asked := []netip.Addr{r.Local.Addr(), r.Remote.Addr()}
	if r.Operation == "listen" && !asked[0].IsValid() || r.Operation == "connect" && !asked[1].IsValid() {
		return fmt.Errorf("the address is missing: %w", syscall.EINVAL)
	}
	for _, a := range asked {
		if a.IsValid() && (r.Family != 4 && r.Family != 6 || r.Family == 4 && !a.Is4()) {
			return fmt.Errorf("%s is no address of family %d: %w", a, r.Family, syscall.EAFNOSUPPORT)
		}
	}
	return nil
}

// allowLocal tells whether the address may be bound. An IPv6 wildcard has clients of both families; where the list has one of
// them, the socket is for that one alone.
func (n Network) allowLocal(r *handoff.NetworkRequest) error {
	port := r.Local.Port()
	if r.Local.Addr() != netip.IPv6Unspecified() || r.Only6 {
		if !n.binds(r.Local.Addr(), port) {
			return n.notBound(r)
		}
		return nil
	}
	six, four := n.binds(netip.IPv6Unspecified(), port), n.binds(netip.IPv4Unspecified(), port)
	switch {
	case six && !four, six && port == 0 && len(n.ports(r)) == 0:
		r.Only6 = true
	case four && !six:
		r.Local = netip.AddrPortFrom(netip.AddrFrom16(netip.IPv4Unspecified().As16()), port)
	case !six:
		return n.notBound(r)
	}
	return nil
}

func (n Network) notBound(r *handoff.NetworkRequest) error {
	return refusal(fmt.Sprintf("%s is not in the list of what it may bind; add it to listen in its network, or leave it refused", unmapped(r.Local)))
}

// binds tells whether the list has an address and port to bind; port 0 is any port there.
func (n Network) binds(a netip.Addr, port uint16) bool {
	return slices.ContainsFunc(n.Listen, func(to Reach) bool { return to.has(a) && (port == 0 || to.Ports.Has(port)) })
}

// ports are those that a request for any port may have. A socket of both families needs one that both may have.
func (n Network) ports(r *handoff.NetworkRequest) []Ports {
	list := n.portsOf(r.Local.Addr())
	if r.Local.Addr() != netip.IPv6Unspecified() || r.Only6 {
		return list
	}
	var common []Ports
	for _, six := range list {
		for _, four := range n.portsOf(netip.IPv4Unspecified()) {
			if both := (Ports{max(six.First, four.First), min(six.Last, four.Last)}); both.First <= both.Last {
				common = append(common, both)
			}
		}
	}
	return common
}

// portsOf are those that an address may be bound with.
func (n Network) portsOf(a netip.Addr) (list []Ports) {
	for _, to := range n.Listen {
		if to.has(a) && to.Ports.Last > 0 {
			list = append(list, Ports{max(to.Ports.First, 1), to.Ports.Last})
		}
	}
	return list
}

// reaches tells whether the list has an address and port to connect to. The wildcard address, which leads to this machine
// itself, is never one.
func reaches(list []Reach, a netip.AddrPort) bool {
	return a.Port() != 0 && !a.Addr().Unmap().IsUnspecified() && slices.ContainsFunc(list, func(to Reach) bool { return to.has(a.Addr()) && to.Ports.Has(a.Port()) })
}

// has tells whether the range has the address. This machine's own loopback addresses are only meant by a
// range that has nothing else.
func (to Reach) has(a netip.Addr) bool {
	if a.Unmap().IsLoopback() && !to.Prefix.loopback() {
		return false
	}
	return to.Prefix.Matches(a)
}

// loopback tells whether all addresses of the prefix are of the loopback interface.
func (p Prefix) loopback() bool {
	n, plain := ones(p.Mask)
	a := p.Address.Unmap()
	return plain && a.IsLoopback() && (n == 128 || p.Address.Is4In6() && n >= 96+8)
}

func unmapped(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }
