package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"text/template"
)

// configuration is what the templates of the peers' configuration files are filled in with.
type configuration struct {
	Dir, Site, Cert, Key string
	Workers, Connections int
	Descriptors          uint64 // that a process may have
	Root                 bool   // bench runs as root: the temporary folder is closed to others, so servers must stay root
	TLS                  bool   // one of the sockets wants it: a certificate would be loaded even where nothing uses it
	Logs                 bool
	Sockets              []configuredSocket
	More                 map[string]string // what one peer alone needs
}

// configuredSocket is a socket as configuration files name it.
type configuredSocket struct {
	Address, Host, Port string
	FD                  int
	TLS, Deferred       bool
}

// configure fills in a template and writes it into the server's folder. It returns the file's path.
func configure(o order, name, text string, more map[string]string) (string, error) {
	c := configuration{
		Dir: o.dir, Site: o.site.root, Cert: o.site.cert, Key: o.site.key, Workers: o.workers, Connections: o.connections,
		Descriptors: descriptorLimit(), Root: os.Geteuid() == 0, Logs: o.logs, More: more,
	}
	for i, s := range o.sockets {
		host, port, err := net.SplitHostPort(s.address())
		if err != nil {
			return "", fmt.Errorf("writing %s: %w", name, err)
		}
		c.TLS = c.TLS || s.role == "https"
		c.Sockets = append(c.Sockets, configuredSocket{
			Address: s.address(), Host: host, Port: port, FD: firstSocket + i, TLS: s.role == "https", Deferred: s.role == deferred,
		})
	}
	var config bytes.Buffer
	parsed, err := template.New(name).Parse(text)
	if err == nil {
		err = parsed.Execute(&config, c)
	}
	path := filepath.Join(o.dir, name)
	if err == nil {
		err = os.WriteFile(path, config.Bytes(), 0o644)
	}
	if err != nil {
		return "", fmt.Errorf("writing %s: %w", name, err)
	}
	return path, nil
}
