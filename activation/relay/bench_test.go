package relay

import (
	"context"
	"io"
	"net"
	"testing"
)

// station is a relay between two listeners, whose server sends back what it gets.
func station(b *testing.B, from, network string) net.Listener {
	front, back := listen(b, from), listen(b, network)
	go func() {
		for {
			c, err := back.Accept()
			if err != nil {
				return
			}
			go func() {
				io.Copy(c, c)
				c.Close()
			}()
		}
	}()
	relay, server := New(), to(back)
	log, _ := quiet()
	door := NewDoor(front, "front", log, func(c net.Conn) {
		client := relay.Take(c)
		go client.Carry(context.Background(), nil, server)
	})
	door.Open()
	b.Cleanup(func() {
		door.Close()
		relay.Close(context.Background())
	})
	return front
}

func pairs(b *testing.B, run func(b *testing.B, from, network string)) {
	for _, c := range []struct{ from, to string }{{"tcp4", "tcp4"}, {"tcp4", "unix"}, {"unix", "unix"}} {
		b.Run(c.from+"-"+c.to, func(b *testing.B) { run(b, c.from, c.to) })
	}
}

// BenchmarkThroughput sends blocks of 256 KiB there and back.
func BenchmarkThroughput(b *testing.B) {
	pairs(b, func(b *testing.B, from, network string) {
		c := dial(b, station(b, from, network))
		block, back := make([]byte, 1<<18), make([]byte, 1<<18)
		b.SetBytes(int64(len(block)))
		for b.Loop() {
			go c.Write(block)
			if _, err := io.ReadFull(c, back); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkRequest sends a small question and awaits the answer on one connection.
func BenchmarkRequest(b *testing.B) {
	pairs(b, func(b *testing.B, from, network string) {
		c := dial(b, station(b, from, network))
		question := make([]byte, 200)
		for b.Loop() {
			c.Write(question)
			if _, err := io.ReadFull(c, question); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkConnection makes a connection for each small question.
func BenchmarkConnection(b *testing.B) {
	pairs(b, func(b *testing.B, from, network string) {
		front := station(b, from, network)
		question := make([]byte, 200)
		for b.Loop() {
			c, err := net.Dial(front.Addr().Network(), front.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			c.Write(question)
			_, err = io.ReadFull(c, question)
			if err != nil {
				b.Fatal(err)
			}
			c.(interface{ CloseWrite() error }).CloseWrite()
			c.Read(question)
			c.Close()
		}
	})
}
