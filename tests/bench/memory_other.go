//go:build !linux

package main

import "context"

type idleClients struct{}

func connectIdle(context.Context, socket, workload, int) (idleClients, error) {
	return idleClients{}, supported()
}
func (idleClients) close()             {}
func (idleClients) gone() (int, error) { return 0, supported() }
