//go:build !linux

package main

// isBPFFileSystem is false: there is no such thing here.
func isBPFFileSystem(string) bool { return false }
