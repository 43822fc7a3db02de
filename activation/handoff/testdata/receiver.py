"""A receiver as socketbox's are (socketbox-inetd, the preload library): it binds a datagram socket and takes one descriptor
from each message. Arguments: the path, and how many milliseconds it works on each connection. It complains of every message
that is not byte for byte what socketbox sends."""
import array
import os
import socket
import sys
import time

path, work = sys.argv[1], float(sys.argv[2]) / 1000
box = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
box.bind(path)
os.chmod(path, 0o660)
print("ready", flush=True)
while True:
    data, control, flags, _ = box.recvmsg(128, 1280, socket.MSG_CMSG_CLOEXEC)
    if data != b"\0" or flags & ~socket.MSG_CMSG_CLOEXEC or len(control) != 1:
        print("unlike socketbox: data %r, flags %x, control %r" % (data, flags, control), flush=True)
    level, kind, payload = control[0]
    if (level, kind, len(payload)) != (socket.SOL_SOCKET, socket.SCM_RIGHTS, 4):
        print("unlike socketbox: control %r" % (control,), flush=True)
    client = socket.socket(fileno=array.array("i", payload)[0])
    if client.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) != socket.SOCK_STREAM:  # SKBOX_STRICT_STREAM_MODE=2
        print("not a stream", flush=True)
    if not os.get_blocking(client.fileno()):
        print("not blocking, as accept(2) gives it", flush=True)
    time.sleep(work)
    client.sendall(b"x")
    client.close()
