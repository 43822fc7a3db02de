"""A dispatcher as socketbox is with -S PATH: it accepts on descriptor 3 and sends each connection, in one datagram from one
unconnected socket, without waiting; a connection that cannot be sent is lost. Arguments: the path, and how many connections
to pass. The message is laid out as socketbox's sendmsg(2) has it, down to the padded address."""
import ctypes
import os
import socket
import sys

path, count = os.fsencode(sys.argv[1]), int(sys.argv[2])


class IOVector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_char_p), ("length", ctypes.c_size_t)]


class Address(ctypes.Structure):  # sockaddr_un, 110 bytes
    _fields_ = [("family", ctypes.c_ushort), ("path", ctypes.c_char * 108)]


class Control(ctypes.Structure):  # one cmsghdr and its descriptor; CMSG_LEN(4) is 20
    _fields_ = [("length", ctypes.c_size_t), ("level", ctypes.c_int), ("kind", ctypes.c_int), ("descriptor", ctypes.c_int)]


class Message(ctypes.Structure):  # msghdr
    _fields_ = [("name", ctypes.POINTER(Address)), ("namelen", ctypes.c_uint), ("iov", ctypes.POINTER(IOVector)),
                ("iovlen", ctypes.c_size_t), ("control", ctypes.POINTER(Control)), ("controllen", ctypes.c_size_t),
                ("flags", ctypes.c_int)]


libc = ctypes.CDLL(None, use_errno=True)
front = socket.socket(fileno=3)
front.setblocking(True)
box = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
address = Address(socket.AF_UNIX, path)
data = IOVector(b"\0", 1)
lost = 0
for _ in range(count):
    client, _ = front.accept()
    control = Control(20, socket.SOL_SOCKET, socket.SCM_RIGHTS, client.fileno())
    message = Message(ctypes.pointer(address), 110, ctypes.pointer(data), 1, ctypes.pointer(control), ctypes.sizeof(control), 0)
    if libc.sendmsg(box.fileno(), ctypes.byref(message), socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL) != 1:
        lost += 1
    client.close()
print("lost", lost, flush=True)
