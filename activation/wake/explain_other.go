//go:build !linux

package wake

import "runtime"

// facts tells what holds where there is no listener mode.
func (c Config) facts() []Fact {
	return []Fact{{"system", runtime.GOOS + "/" + runtime.GOARCH, "no process answers another one's system calls here: a program that asks for its sockets gets them (translate), clients of all others are relayed (proxy)"}}
}

// noReading is never the reason where listener mode does not exist.
func noReading() string { return "" }

// noProcesses: no mode looks for them here.
func noProcesses() string { return "" }
