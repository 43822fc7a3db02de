// Command foreign is a server that needs nothing but the system's calls, so that it is quickly built for another processor:
// it answers each connection to the address that is its argument.
package main

import (
	"net/netip"
	"os"
	"syscall"
)

func main() {
	if err := serve(netip.MustParseAddrPort(os.Args[1])); err != nil {
		os.Stderr.WriteString("foreign: " + err.Error() + "\n")
		os.Exit(1)
	}
}

func serve(at netip.AddrPort) error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return err
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}); err != nil {
		return err
	}
	if err := syscall.Listen(fd, 10); err != nil {
		return err
	}
	for {
		client, _, err := syscall.Accept(fd)
		if err != nil {
			return err
		}
		request := make([]byte, 4096)
		if n, err := syscall.Read(client, request); err == nil && n > 0 {
			syscall.Write(client, []byte("HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\nforeign\n"))
		}
		syscall.Close(client)
	}
}
