package servers

// scripts are programs of a few lines, in languages whose libraries bind in their own ways.
func scripts() []server {
	python := func(s server) server {
		s.packages, s.version, s.sockets, s.reload, s.abrupt = []string{"python3"}, "python3 -V", web(), "restart", true
		return s
	}
	return []server{
		python(server{
			name:       "Python http.server",
			always:     true,
			files:      map[string]string{"www/index.html": "@word@\n"},
			command:    []string{"/usr/bin/python3", "-u", "-m", "http.server", "@web@", "--bind", "127.0.0.1", "--directory", "@dir@/www"},
			client:     page,
			peer:       `@ip@ - - .* "GET / `,
			stopSignal: "INT",
		}),
		python(server{
			name: "Python asyncio",
			files: map[string]string{"app.py": `
import asyncio
async def answer(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    peer, here = writer.get_extra_info("peername"), writer.get_extra_info("sockname")
    print("from %s:%d" % peer, flush=True)
    writer.write(b"HTTP/1.0 200 OK\r\n\r\n" + ("@word@ peer=%s %d server=%s %d\n" % (peer + here)).encode())
    await writer.drain()
    writer.close()
async def main():
    await (await asyncio.start_server(answer, "127.0.0.1", @web@)).serve_forever()
asyncio.run(main())
`},
			command: []string{"/usr/bin/python3", "app.py"},
			client:  truthful("web"),
			peer:    `from @ip@:@port@`,
		}),
		python(server{
			name:  "Python socket.create_server",
			guess: true,
			files: map[string]string{"app.py": `
import socket
with socket.create_server(("127.0.0.1", @web@)) as s:
    while True:
        c, peer = s.accept()
        print("from %s:%d" % peer, flush=True)
        c.recv(4096)
        c.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + ("@word@ peer=%s %d server=%s %d\n" % (peer + c.getsockname())).encode())
        c.close()
`},
			command: []string{"/usr/bin/python3", "app.py"},
			client:  truthful("web"),
			peer:    `from @ip@:@port@`,
		}),
		{
			name:     "Node http",
			packages: []string{"nodejs"},
			version:  "node --version",
			always:   true,
			files: map[string]string{"app.js": `
require("http").createServer((q, r) => {
  console.log("from " + q.socket.remoteAddress + ":" + q.socket.remotePort)
  r.end("@word@ peer=" + q.socket.remoteAddress + " " + q.socket.remotePort + " server=" + q.socket.localAddress + " " + q.socket.localPort + "\n")
}).listen(@web@, "127.0.0.1")
`},
			command: []string{"/usr/bin/node", "app.js"},
			sockets: web(),
			guess:   true,
			client:  truthful("web"),
			peer:    `from @ip@:@port@`,
			reload:  "overlap",
			abrupt:  true,
		},
		{
			name:     "Node cluster",
			packages: []string{"nodejs"},
			version:  "node --version",
			files: map[string]string{"app.js": `
const cluster = require("cluster")
if (cluster.isPrimary) {
  cluster.fork()
  cluster.fork()
} else {
  require("http").createServer((q, r) => {
    console.log("from " + q.socket.remoteAddress + ":" + q.socket.remotePort)
    r.end("@word@ peer=" + q.socket.remoteAddress + " " + q.socket.remotePort + "\n")
  }).listen(@web@, "127.0.0.1")
}
`},
			command: []string{"/usr/bin/node", "app.js"},
			sockets: web(),
			client:  truthful("web"),
			peer:    `from @ip@:@port@`,
			reload:  "restart",
			abrupt:  true,
		},
		{
			name:    "Go net/http, static",
			env:     []string{helperVariable + "=:@web@", "WORD=one two"},
			command: []string{"@self@"},
			sockets: web(),
			client:  truthful("web"),
			peer:    `from @ip@:@port@`,
			reload:  "overlap",
			abrupt:  true,
		},
	}
}
