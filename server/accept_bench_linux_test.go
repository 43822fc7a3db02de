package server

import (
	"io"
	"net"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// BenchmarkNewConnection is a client that connects, asks once and is served and closed: by package net and a goroutine for each
// client, or where it is accepted; with clients that the kernel holds back until they have said something, and without. The
// client's part is in all of them.
func BenchmarkNewConnection(b *testing.B) {
	request, reply := []byte("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), payload(1<<10)
	alone := func(nc net.Conn) {
		defer nc.Close()
		in := make([]byte, 4<<10)
		if _, err := nc.Read(in); err == nil {
			nc.Write(reply)
		}
	}
	o := &opener{
		first: func(_ caller, in, out []byte) (int, []byte, bool, bool) {
			return len(in), append(out, reply...), true, true
		},
		admit: func(nc net.Conn, _ heard) { go alone(nc) },
	}
	ways := map[string]func(l *net.TCPListener){
		"accept": func(l *net.TCPListener) {
			for nc, err := l.Accept(); err == nil; nc, err = l.Accept() {
				go alone(nc)
			}
		},
		"batch": func(l *net.TCPListener) {
			for taken := batching(b, l); ; {
				if _, err := taken.run(all(o)); err != nil {
					return
				}
			}
		},
	}
	for _, name := range []string{"accept", "batch"} {
		for _, deferred := range []bool{false, true} {
			b.Run(name+map[bool]string{true: "-deferred"}[deferred], func(b *testing.B) {
				l := listen(b)
				if deferred {
					deferring(b, l)
				}
				go ways[name](l)
				b.ReportAllocs()
				b.SetParallelism(max(1, 16/runtime.GOMAXPROCS(0)))
				b.RunParallel(func(p *testing.PB) {
					for p.Next() {
						knockOnce(b, l.Addr(), request)
					}
				})
			})
		}
	}
}

// knockOnce is one client that asks once.
func knockOnce(b *testing.B, to net.Addr, request []byte) {
	c, err := net.Dial("tcp", to.String())
	if err != nil {
		b.Error(err)
		return
	}
	defer c.Close()
	c.(*net.TCPConn).SetLinger(0) // no TIME_WAIT
	c.Write(request)
	if n, err := io.Copy(io.Discard, c); n != 1<<10 || err != nil {
		b.Errorf("%d bytes, %v", n, err)
	}
}

// BenchmarkAdopt is what it costs to make a connection of a descriptor and to close it, here and by package net.
func BenchmarkAdopt(b *testing.B) {
	l := listen(b)
	dial(b, l)
	known, err := l.Accept()
	if err != nil {
		b.Fatal(err)
	}
	defer known.Close()
	kept := descriptorOf(b, known)
	another := func() int {
		fd, err := unix.FcntlInt(uintptr(kept), unix.F_DUPFD_CLOEXEC, 3)
		if err != nil {
			b.Fatal(err)
		}
		return fd
	}
	b.Run("adopt", func(b *testing.B) {
		from := peer{local: l.Addr()}
		from.raw.Addr.Family = unix.AF_INET
		b.ReportAllocs()
		for b.Loop() {
			from.adopt(another()).Close()
		}
	})
	b.Run("FileConn", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			f := os.NewFile(uintptr(another()), "")
			nc, err := net.FileConn(f)
			f.Close()
			if err != nil {
				b.Fatal(err)
			}
			nc.Close()
		}
	})
}

// BenchmarkPark is what it costs to let a connection rest and to go on with it.
func BenchmarkPark(b *testing.B) {
	l := parking(b, func(*parked) {})
	var nc net.Conn
	nc, _ = adoptedPair(b)
	b.ReportAllocs()
	for b.Loop() {
		p, err := l.park(nc, nil)
		if err != nil {
			b.Fatal(err)
		}
		if nc, err = p.unpark(); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	nc.Close()
}
