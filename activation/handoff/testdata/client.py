"""A backend in Rouse's hand-off protocol (PROTOCOL.md), by Python's standard library alone: it registers at a dispatcher, and
greets each client by its address and the rule that sent it. Arguments: the desk, the backend's name, how many it serves."""
import ipaddress, socket, struct, sys
HELLO, REFUSED, CONNECTION, ACCEPTED, LEAVING, END = 1, 3, 4, 7, 9, 10
CREDIT = 4  # connections that may be under way to us


class Fields:  # of a frame, in their order
    def __init__(self, data):
        self.data = data

    def take(self, count):
        taken, self.data = self.data[:count], self.data[count:]
        return taken

    def number(self, count):
        return int.from_bytes(self.take(count), "big")

    def text(self):
        return self.take(self.number(2)).decode()

    def address(self):
        family = self.number(1)
        if family == 0:
            return "somebody"
        host, port = ipaddress.ip_address(self.take(4 if family == 4 else 16)), self.number(2)
        zone = self.text() if family == 6 else ""
        return f"{host}:{port}" if family == 4 else f"[{host}{'%' + zone if zone else ''}]:{port}"


def send(kind, payload=b""):
    desk.send(b"RH\x01" + bytes([kind]) + payload)


def frames():
    """Yields the type of each frame, its fields and its descriptors, until the dispatcher ends the session or itself."""
    while True:
        data, descriptors, _, _ = socket.recv_fds(desk, 65536, 1)
        if not data or data[3] == END:
            return
        yield data[3], Fields(data[4:]), descriptors


desk = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
desk.connect(sys.argv[1])
name, left = sys.argv[2].encode(), int(sys.argv[3])
send(HELLO, struct.pack(">H", len(name)) + name + struct.pack(">BIH", 3, CREDIT, 0))
for kind, fields, descriptors in frames():
    if kind == REFUSED:
        sys.exit(fields.take(1) and fields.text())
    if kind == CONNECTION:
        identity, _ = fields.number(8), fields.number(8)
        client, _, listener, route = fields.address(), fields.address(), fields.text(), fields.text()
        send(ACCEPTED, struct.pack(">IHQ", 1, 1, identity))  # ours from now on; and one more may come
        with socket.socket(fileno=descriptors[0]) as connection:
            connection.sendall(f"hello {client} by {listener} and {route}\n".encode())
        left -= 1
        if left == 0:
            break
send(LEAVING)
