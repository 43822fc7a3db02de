// Package launchd takes over the sockets that launchd, the service manager of macOS, opened for this job.
//
// It calls launch_activate_socket(3) of libSystem without cgo, so the program can be built for macOS anywhere.
package launchd

// Sockets returns the descriptors of all sockets that launchd opened under name, a key of the Sockets dictionary in
// the job's property list (launchd.plist(5)). One name often has several: an entry without a node name gives one
// socket for IPv4 and one for IPv6. The caller owns the descriptors; close-on-exec is set on each, nothing else is
// changed. Either all are returned or, with an error, none stays open.
//
// A process gets each name once (launch_activate_socket(3)): keep what was returned.
//
// The error wraps what launchd answered:
//
//   - [syscall.ENOENT]: the job has no socket of that name.
//   - [syscall.ESRCH]: launchd did not start this process; launchd also says so of an unknown name.
//   - [syscall.EALREADY]: this process took the name before.
//   - [syscall.EINVAL]: not a usable name, for example one with a NUL in it.
//   - any other [syscall.Errno] as it came.
//
// Elsewhere than on macOS it wraps [errors.ErrUnsupported].
func Sockets(name string) ([]int, error) { return sockets(name) }
