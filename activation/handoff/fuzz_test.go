package handoff

import (
	"net"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// FuzzDatagram sends messages of any content, with any number of descriptors of several kinds. Only a connection that comes
// first is taken, and no descriptor is left open.
func FuzzDatagram(f *testing.F) {
	f.Add([]byte{0}, []byte{0})
	f.Add([]byte{}, []byte{})
	f.Add([]byte("any bytes"), []byte{1, 0, 2, 3, 0})
	f.Add(make([]byte, 300), []byte{3, 3, 3})
	f.Add([]byte{0}, make([]byte, 253))
	_, c := connection(f)
	null, err := os.Open(os.DevNull)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { null.Close() })
	packets, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { packets.Close() })
	kinds := []int{c, descriptor(f, listenTCP(f)), int(null.Fd()), descriptor(f, packets.(*net.UDPConn))}

	f.Fuzz(func(t *testing.T, data, descriptors []byte) {
		var numbers []int
		for _, b := range descriptors[:min(len(descriptors), 253)] {
			numbers = append(numbers, kinds[int(b)%len(kinds)])
		}
		ours, theirs := pair(t, unix.SOCK_DGRAM)
		d := newDatagrams(ours, "fuzz", DatagramOptions{})
		defer d.file.Close()
		before := openDescriptors()
		if err := sendMessage(theirs, append(data, 0)[:min(len(data)+1, 60000)], numbers...); err != nil {
			t.Skip(err)
		}
		m, err := d.receive(make([]byte, 128))
		if err != nil {
			t.Fatal(err)
		}
		d.take(m)
		taken := len(numbers) > 0 && numbers[0] == c
		if len(d.queue) == 1 != taken {
			t.Fatalf("%d connections of %v", len(d.queue), descriptors)
		}
		for _, a := range d.queue {
			unix.Close(a.Number)
		}
		if now := openDescriptors(); now != before {
			t.Fatalf("%d descriptors are left open", now-before)
		}
	})
}
