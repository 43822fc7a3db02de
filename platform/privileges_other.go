//go:build !linux

package platform

func noNewPrivileges() error { return nil }

func hideMemory() error { return nil }

func giveUpCapabilities() (had bool, err error) { return false, nil }
