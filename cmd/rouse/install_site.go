package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"github.com/rouse-server/rouse/packaging/install"
	"github.com/rouse-server/rouse/server/certificate"
)

// site is what is to be installed: a command with its options, as the arguments say.
func (i *installing) site(command string, rest []string, now time.Time) (install.Site, error) {
	program, err := ownPath()
	if err != nil {
		return install.Site{}, fmt.Errorf("find this program's own path: %w", err)
	}
	site := install.Site{Name: i.Name, Command: command, Program: program, Egress: i.Egress, Account: i.Account}
	switch command {
	case "run":
		err = i.runSite(&site, rest)
	case "inetd":
		err = i.inetdSite(&site, rest)
	case "dispatch":
		err = i.dispatchSite(&site, rest)
	default:
		err = i.serveSite(&site, rest, now)
	}
	if err == nil && command != "serve" && len(i.HostName) > 0 {
		err = usage("--host-name is for the certificate of rouse serve: leave it out")
	}
	return site, err
}

// hostNames are those of the certificate, and the first of them that of the URLs.
func (i *installing) hostNames() []string {
	if len(i.HostName) > 0 {
		return i.HostName
	}
	machine, _ := os.Hostname()
	return certificate.LocalHosts(machine)
}

// fromManager is the address of the sockets that the manager passes beside others.
func fromManager(sockets []install.Socket) []string {
	switch {
	case len(sockets) == 0:
		return nil
	case runtime.GOOS == "darwin":
		return []string{"launchd:"}
	}
	return []string{"systemd:"}
}

// ownPath is this program's own path, as it was called: a link stays where it is when an upgrade has it point elsewhere.
func ownPath() (string, error) {
	itself, err := os.Executable()
	if err != nil {
		return "", err
	}
	if itself, err = filepath.EvalSymlinks(itself); err != nil {
		return "", err
	}
	called, err := exec.LookPath(os.Args[0])
	if err != nil {
		return itself, nil
	}
	if called, err = filepath.Abs(called); err != nil {
		return itself, nil
	}
	if target, err := filepath.EvalSymlinks(called); err != nil || target != itself {
		return itself, nil
	}
	return called, nil
}
