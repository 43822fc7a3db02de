package main

import (
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/rouse-server/rouse/activation"
)

// ownQuestion asks the `rouse serve` that variables and file of options describe. Its certificate is not looked at: it is
// on this machine, and its names are for clients elsewhere.
func ownQuestion(c console) (question, error) {
	c.args = nil
	s, _, _, err := load(c)
	if err != nil {
		return question{}, err
	}
	if _, err := s.checkSocketOptions(); err != nil {
		return question{}, err
	}
	switch {
	case s.given["listen"] != "":
		return s.askListed()
	case s.given["fd"] != "":
		return question{}, config("%s says which socket to take, and not its address: give the URL: rouse health http://ADDRESS/", s.given["fd"])
	case s.given["unix-socket"] != "":
		return s.askUnix(s.UnixSocket, s.role("")), nil
	case s.saysNothing(): // as bindBare
		return s.askHostPort("127.0.0.1", []string{bareHTTPS}, "https"), nil
	}
	ports := []string{s.Port.String()}
	if s.given["port"] == "" {
		ports = append(ports, bareHTTP) // as bindHostPort
	}
	return s.askHostPort(string(s.Host), ports, s.role("")), nil
}

// askListed asks the first address that others can connect to; one for administration, which always knows of its health, goes
// before the others.
func (s *settings) askListed() (question, error) {
	addresses, err := s.listed()
	if err != nil {
		return question{}, err
	}
	reachable := slices.DeleteFunc(addresses, func(a activation.Address) bool {
		return a.Source != "tcp" && a.Source != "unix" || a.Options.Has("proxy") || a.Options.Has("namespace")
	})
	slices.SortStableFunc(reachable, func(a, b activation.Address) int {
		switch {
		case a.Role == "admin" && b.Role != "admin":
			return -1
		case a.Role != "admin" && b.Role == "admin":
			return 1
		}
		return 0
	})
	if len(reachable) == 0 {
		return question{}, config("%s names no address that can be asked (tcp: or unix:, without proxy=): give the URL: rouse health http://ADDRESS/", s.given["listen"])
	}
	a := reachable[0]
	if a.Source == "unix" {
		return s.askUnix(a.Detail, s.role(a.Role)), nil
	}
	host, port, err := net.SplitHostPort(a.Detail)
	if err != nil {
		host, port = "", a.Detail // tcp:8080
	}
	return s.askHostPort(host, []string{port}, s.role(a.Role)), nil
}

// role is that of a socket without a name, as roleOf decides.
func (s *settings) role(said string) string {
	if said == "" && s.tlsOn() {
		return "https"
	}
	if said == "" {
		return "http"
	}
	return said
}

func (s *settings) askUnix(path, role string) question {
	return question{url: s.healthURL("localhost", role), network: "unix", places: []string{path}, insecure: true}
}

// askHostPort asks on loopback what listens on all addresses.
func (s *settings) askHostPort(host string, ports []string, role string) question {
	hosts := []string{host}
	switch strings.Trim(host, "[]") {
	case "", "::", "*":
		hosts = []string{"127.0.0.1", "::1"}
	case "0.0.0.0":
		hosts = []string{"127.0.0.1"}
	}
	q := question{network: "tcp", insecure: true}
	for _, port := range ports {
		for _, host := range hosts {
			q.places = append(q.places, net.JoinHostPort(strings.Trim(host, "[]"), port))
		}
	}
	q.url = s.healthURL(q.places[0], role)
	return q
}

// healthURL is the page that tells of the health. Without one, any page of the site has to do.
func (s *settings) healthURL(host, role string) *url.URL {
	u := &url.URL{Scheme: role, Host: host, Path: "/"}
	if role == "admin" {
		u.Scheme = "http"
	}
	if role == "admin" || s.Health {
		u.Path = "/health"
	}
	return u
}
