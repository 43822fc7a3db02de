//go:build !linux

package seccomp

func probe(Privileges) (bool, error) { return false, ErrUnsupported }

func probeAnswer(Privileges) error { return ErrUnsupported }
