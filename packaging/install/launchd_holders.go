package install

import (
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"

	"howett.net/plist"
)

// Holders lists the stream sockets of the domain's jobs. launchd itself does not tell them, so they are those of the
// property lists in its folders whose jobs it has, by the paths of those.
func (l *launchd) Holders(ctx context.Context) ([]Holder, error) {
	var all []Holder
	for _, folder := range l.folders {
		files, err := filepath.Glob(filepath.Join(folder, "*.plist"))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			listen, err := listedSockets(file, false)
			if err != nil || len(listen) == 0 {
				continue // what cannot be read launchd does not have either
			}
			if _, loaded, err := l.print(ctx, l.target(file)); err != nil {
				return nil, err
			} else if !loaded {
				continue
			}
			for _, one := range listen {
				all = append(all, Holder{Unit: file, Listen: one})
			}
		}
	}
	return all, nil
}

// listedSockets are the addresses under Sockets of a property list of anybody's, in any format, spelt as [Socket].Listen has
// them.
func listedSockets(file string, datagrams bool) ([]string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var job struct{ Sockets map[string]any }
	if _, err := plist.Unmarshal(text, &job); err != nil {
		return nil, fmt.Errorf("%s is not a property list: %w", file, err)
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(job.Sockets)) {
		list, ok := job.Sockets[name].([]any)
		if !ok {
			list = []any{job.Sockets[name]}
		}
		for _, one := range list {
			socket, _ := one.(map[string]any)
			if datagram := socket["SockType"] == "dgram" || socket["SockProtocol"] == "UDP"; datagram && !datagrams {
				continue
			}
			if address := listedAddress(socket); address != "" {
				all = append(all, address)
			}
		}
	}
	return all, nil
}

// listedAddress spells one socket's address; "" where there is none to tell.
func listedAddress(socket map[string]any) string {
	if path, ok := socket["SockPathName"].(string); ok {
		return path
	}
	if socket["SockServiceName"] == nil {
		return ""
	}
	port := fmt.Sprint(socket["SockServiceName"]) // an integer, a number as text, or the name of a service
	if number, err := net.LookupPort("tcp", port); err == nil {
		port = fmt.Sprint(number)
	}
	switch host, _ := socket["SockNodeName"].(string); {
	case host != "":
		return net.JoinHostPort(host, port)
	case socket["SockFamily"] == "IPv4":
		return net.JoinHostPort("0.0.0.0", port)
	case socket["SockFamily"] == "IPv6":
		return net.JoinHostPort("::", port)
	default:
		return port
	}
}
