package launchd

import (
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxSockets bounds what one name may give. launchd opens one socket per address that getaddrinfo(3) finds for the
// entry, a handful; a count beyond this is garbage and must not be used to read memory.
const maxSockets = 4096

// calls are the two C functions needed, as values, so that everything else runs and is tested on every system.
//
// The C side writes to *array and *count, so they must stay where they are during the call. take passes pointers to
// its own variables through these function values, which makes them escape to the heap, and there nothing moves; a
// body that turns the pointers into uintptr must itself keep them alive and in place until C has returned.
type calls struct {
	// activate is launch_activate_socket(3). Its result is the errno; the variable errno is not set.
	activate func(name *byte, array **int32, count *uintptr) syscall.Errno
	// free is free(3), for the array.
	free func(array *int32)
}

// take asks launchd for the sockets under name and gives back their descriptors, close-on-exec set.
func take(c calls, name string) ([]int, error) {
	cName, err := syscall.BytePtrFromString(name)
	if err != nil {
		return nil, refusal(name, syscall.EINVAL)
	}

	// The descriptors come without close-on-exec: nobody may fork before it is set.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()

	var array *int32
	var count uintptr
	if errno := c.activate(cName, &array, &count); errno != 0 {
		return nil, refusal(name, errno) // the array is not ours then, whatever it points to
	}
	if array != nil {
		defer c.free(array)
	}
	switch {
	case count == 0:
		return nil, fmt.Errorf("launchd opened nothing for socket %q: check its SockNodeName, SockServiceName or "+
			"SockPathName in the property list", name)
	case array == nil, count > maxSockets:
		return nil, fmt.Errorf("launchd gave an unusable answer for socket %q (%d descriptors, array missing: %t): "+
			"load the property list again with launchctl bootout and bootstrap", name, count, array == nil)
	}
	return adopt(name, unsafe.Slice(array, count))
}

// adopt copies the descriptors out of C's array and sets close-on-exec on each, or closes them all.
func adopt(name string, array []int32) ([]int, error) {
	descriptors := make([]int, len(array))
	for i, fd := range array {
		descriptors[i] = int(fd)
	}
	for _, fd := range descriptors {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, unix.FD_CLOEXEC); err != nil {
			closeAll(descriptors)
			return nil, fmt.Errorf("set close-on-exec on descriptor %d of launchd socket %q: %w: "+
				"load the property list again with launchctl bootout and bootstrap", fd, name, err)
		}
	}
	return descriptors, nil
}

// closeAll closes what launchd gave. A number that is no open descriptor fails with EBADF, which harms nobody.
func closeAll(descriptors []int) {
	for _, fd := range descriptors {
		unix.Close(fd)
	}
}
