"""Doubles of socketbox's programs, written from the description of its protocols. The first argument says which one. Each
complains on standard output of whatever is not byte for byte as the original has it, and of each connection that it loses.

preload PATH         a server under the preload library: waits with poll, accepts without blocking, answers with both addresses
relay PATH TARGET    socketbox-relay: copies between the connection and a TCP port of 127.0.0.1
inetd-p DESK SLOT    socketbox-inetd-p: registers for a slot, and answers each connection that it is sent
desk PATH SLOT       python-socketbox: sends the connections of descriptor 3 to who registers for the slot
carrier              socketbox -i 4: sends the connections of descriptor 3 over descriptor 4, without waiting
carried              an accepting server on a connected carrier, descriptor 3 (SKBOX_ACCEPT_STREAM=1)
"""
import array
import os
import select
import socket
import struct
import sys
import threading


def say(*words):
    print(*words, flush=True)


def take(box, data):
    """Receives one connection and complains if its message has other data than this, or other control data."""
    got, control, flags, _ = box.recvmsg(128, 1280, socket.MSG_CMSG_CLOEXEC)
    if not got and not control:
        say("end")
        sys.exit(0)
    sizes = [(level, kind, len(payload)) for level, kind, payload in control]
    if got != data or sizes != [(socket.SOL_SOCKET, socket.SCM_RIGHTS, 4)] or flags & ~socket.MSG_CMSG_CLOEXEC & ~socket.MSG_EOR:
        say("unlike socketbox: data %r, control %r, flags %x" % (got, control, flags))
    client = socket.socket(fileno=array.array("i", control[0][2])[0])
    if client.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) != socket.SOCK_STREAM or not os.get_blocking(client.fileno()):
        say("not a blocking stream, as accept(2) gives it")
    return client


def answer(client):
    name = "peer=%s:%d local=%s:%d\n" % (*client.getpeername()[:2], *client.getsockname()[:2])
    client.sendall(name.encode())
    client.close()


def bound(path):
    box = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    box.bind(path)
    os.chmod(path, 0o660)
    say("ready")
    return box


def preload(path):
    box = bound(path)
    box.setblocking(False)
    poll = select.poll()
    poll.register(box, select.POLLIN)
    while True:
        poll.poll()
        try:
            client = take(box, b"\0")
        except BlockingIOError:
            continue
        client.setblocking(False)  # accept4 with SOCK_NONBLOCK
        answer(client)


def relay(path, target):
    box = bound(path)

    def copy(source, sink):
        while data := source.recv(98304):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)

    while True:
        client = take(box, b"\0")
        server = socket.create_connection(("127.0.0.1", int(target)))
        threading.Thread(target=copy, args=(client, server), daemon=True).start()
        threading.Thread(target=copy, args=(server, client), daemon=True).start()


def inetd_p(desk, slot):
    box = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    box.connect(desk)
    box.send(b"\1\0\0\0" + struct.pack(">I", int(slot)))
    reply = box.recv(128)
    if reply != b"\x80\0\0\0":
        say("refused: %r" % reply)
        return
    say("registered")
    while True:
        answer(take(box, b"\3\0\0\0"))


def pass_on(box, data, client):
    try:
        box.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [client.fileno()]))],
                    socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
    except OSError as error:
        say("lost: %s" % error)
    client.close()


def desk(path, slot):
    desk = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    desk.bind(path)
    desk.listen()
    say("ready")
    backend, _ = desk.accept()
    request = backend.recv(128)
    if request != b"\1\0\0\0" + struct.pack(">I", int(slot)):
        say("unlike socketbox: request %r" % request)
        return
    backend.send(b"\x80\0\0\0")
    say("registered")
    front = socket.socket(fileno=3)
    front.setblocking(True)
    poll = select.poll()
    poll.register(front, select.POLLIN)
    poll.register(backend, select.POLLIN)
    while True:
        for number, _ in poll.poll():
            if number == backend.fileno():
                say("gone" if not backend.recv(128) else "unlike socketbox: a second message")
                return
            pass_on(backend, b"\3\0\0\0", front.accept()[0])


def carrier():
    front, box = socket.socket(fileno=3), socket.socket(fileno=4)
    front.setblocking(True)
    while True:
        pass_on(box, b"\0", front.accept()[0])


def carried():
    box = socket.socket(fileno=3)
    box.setblocking(True)
    say("ready")
    while True:
        answer(take(box, b"\0"))


programs = {"preload": preload, "relay": relay, "inetd-p": inetd_p, "desk": desk, "carrier": carrier, "carried": carried}
programs[sys.argv[1]](*sys.argv[2:])
