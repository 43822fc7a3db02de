package install

import (
	"cmp"
	"io"
	"slices"
	"strings"

	"github.com/coreos/go-systemd/v22/unit"
)

// socketText is the unit of a socket (systemd.socket(5)). Why its settings are what they are stands in the shipped ones.
func (s systemdSite) socketText(i int) ([]byte, error) {
	socket := s.Sockets[i]
	options := []*unit.UnitOption{
		{Section: "Unit", Name: "Description", Value: "Rouse site " + s.Name + ", socket " + specifiers(socket.Name)},
		{Section: "Unit", Name: "Documentation", Value: "https://github.com/rouse-server/rouse"},
		{Section: "Socket", Name: "FileDescriptorName", Value: specifiers(socket.Name)},
	}
	add := func(section, name, value string) {
		options = append(options, &unit.UnitOption{Section: section, Name: name, Value: value})
	}
	listen := "ListenStream"
	if socket.Datagram {
		listen = "ListenDatagram"
	}
	for _, address := range socket.Listen {
		add("Socket", listen, specifiers(address))
	}
	if slices.ContainsFunc(socket.Listen, isUnixSocket) {
		add("Socket", "SocketMode", cmp.Or(socket.Mode, "0666"))
		add("Socket", "RemoveOnStop", "yes")
	}
	if !slices.ContainsFunc(socket.Listen, func(a string) bool { return !isUnixSocket(a) }) {
		return s.finishSocket(options)
	}
	add("Socket", "FreeBind", "yes")
	add("Socket", "BindIPv6Only", s.ipv6Only(socket))
	if !socket.Datagram {
		add("Socket", "NoDelay", "yes")
		if s.Command == "run" || s.Command == "inetd" {
			add("Socket", "KeepAlive", "yes")
		}
		if socket.ClientFirst {
			add("Socket", "DeferAcceptSec", "5s")
		}
	}
	return s.finishSocket(options)
}

func isUnixSocket(address string) bool {
	return strings.HasPrefix(address, "/") || strings.HasPrefix(address, "@")
}

// ipv6Only is BindIPv6Only=. A bare port, and :: without 0.0.0.0, is of both families; a program that is woken binds them one by
// one, and its sockets have to be like its own.
func (s systemdSite) ipv6Only(socket Socket) string {
	bare := slices.ContainsFunc(socket.Listen, func(a string) bool { return strings.Trim(a, "0123456789") == "" })
	byOne := s.Command == "run" || slices.ContainsFunc(socket.Listen, func(a string) bool { return strings.HasPrefix(a, "0.0.0.0:") })
	if byOne && !bare {
		return "ipv6-only"
	}
	return "both"
}

func (s systemdSite) finishSocket(options []*unit.UnitOption) ([]byte, error) {
	options = append(options,
		&unit.UnitOption{Section: "Socket", Name: "Service", Value: s.unit(".service")},
		&unit.UnitOption{Section: "Install", Name: "WantedBy", Value: "sockets.target"})
	for _, o := range options {
		if why := oddInUnit(o.Value); why != "" {
			return nil, odd(o.Name+"=", o.Value, why)
		}
	}
	text, err := io.ReadAll(unit.Serialize(options))
	if err != nil {
		return nil, err
	}
	return checkedUnit(heading(s.Name, s.sys) + "\n\n" + string(text))
}
