package install

import (
	"cmp"
	"fmt"
	"net"
	"path"
	"slices"
	"strconv"
	"strings"
)

// jobSockets are the sockets of a site as launchd has them, by their names.
func jobSockets(sockets []Socket) (map[string][]jobSocket, error) {
	if len(sockets) == 0 {
		return nil, nil
	}
	all := map[string][]jobSocket{}
	for _, s := range sockets {
		for _, listen := range s.Listen {
			one, err := jobSocketAt(listen, s)
			if err != nil {
				return nil, err
			}
			all[s.Name] = append(all[s.Name], one)
		}
	}
	return all, nil
}

// jobSocketAt spells an address as launchd has it. launchd always sets IPV6_V6ONLY, and one socket of each family where
// there is no SockNodeName.
func jobSocketAt(listen string, s Socket) (jobSocket, error) {
	var one jobSocket
	if s.Datagram {
		one.SockType = "dgram"
	}
	if path.IsAbs(listen) {
		mode, err := strconv.ParseUint(cmp.Or(s.Mode, "0666"), 8, 9)
		if err != nil {
			return one, Problem{Text: fmt.Sprintf("socket %s: mode %q is not octal, such as 0660", s.Name, s.Mode), Usage: true}
		}
		one.SockPathName, one.SockPathMode = listen, int(mode)
		return one, nil
	}
	if !strings.Contains(listen, ":") {
		one.SockServiceName = listen
		return one, nil
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return one, Problem{Text: fmt.Sprintf("socket %s: %q is not an address such as 127.0.0.1:8443, [::1]:8443, 8443 or /run/site.sock", s.Name, listen), Usage: true}
	}
	one.SockNodeName, one.SockServiceName = host, port
	return one, nil
}

// nameSockets says in the option of the command what launchd's sockets are called, where it would not find them: without a
// name, Rouse asks for https, http, listeners and Listeners. The dispatcher's stand in its rules.
func nameSockets(site Site, variables map[string]string) {
	usual := []string{"https", "http", "listeners", "Listeners"}
	option := map[string]string{"serve": "SERVER_LISTEN", "run": "ROUSE_RUN_LISTEN", "inetd": "ROUSE_INETD_LISTEN"}[site.Command]
	if option == "" || !slices.ContainsFunc(site.Sockets, func(s Socket) bool { return !slices.Contains(usual, s.Name) }) {
		return
	}
	var addresses []string
	for _, s := range site.Sockets {
		addresses = append(addresses, "launchd:"+s.Name)
	}
	for address := range strings.SplitSeq(variables[option], ",") { // those that launchd does not open
		if address != "" && !strings.HasPrefix(address, "launchd:") {
			addresses = append(addresses, address)
		}
	}
	variables[option] = strings.Join(addresses, ",")
}
