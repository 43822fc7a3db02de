//go:build !linux

package main

import "errors"

// lock tells that there is nothing to lock with.
func (r reach) lock() error { return errors.New("only Linux has it") }
