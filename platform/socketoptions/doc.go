// Package socketoptions keeps the options of a socket that several programs use in turn (socket(7), ip(7), ipv6(7), tcp(7)).
// There is something in it on Linux only.
package socketoptions
