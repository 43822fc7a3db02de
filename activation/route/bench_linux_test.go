package route

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/activation/handoff"
)

// TestBenchServer is a process of BenchmarkHandOver: the dispatcher, or a server that says one byte to each client.
func TestBenchServer(t *testing.T) {
	way, place, _ := strings.Cut(os.Getenv("ROUTE_BENCH_SERVER"), " ")
	switch way {
	case "":
		return // it is run by BenchmarkHandOver
	case "direct":
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		err = errors.Join(err, unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(fd, 4096))
		if err != nil {
			t.Fatal(err)
		}
		l := os.NewFile(uintptr(fd), "listener")
		defer l.Close()
		local, _ := syscall.Getsockname(fd)
		fmt.Println(addressFrom(local))
		raw, _ := l.SyscallConn()
		raw.Read(func(fd uintptr) bool {
			for {
				conn, _, err := acceptRaw(int(fd))
				if err == unix.EAGAIN {
					return false
				}
				greet(conn)
			}
		})
	case "dispatch":
		s := play(t, "web", place, Options{})
		fmt.Println(s.address("web"), s.dir)
		io.Copy(io.Discard, os.Stdin)
	case "A":
		d, err := handoff.ListenDatagrams(place, handoff.DatagramOptions{Owner: -1, Group: -1, Credit: 128})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println("ready")
		greetAll(d)
	default:
		fmt.Println("ready")
		greetAll(handoff.Register(place, "one", handoff.RegisterOptions{Takes: "connections", Credit: 128}))
	}
}

func greetAll(c handoff.Channel) {
	for {
		a, err := c.Next(context.Background())
		if err != nil {
			return
		}
		a.Accepted()
		greet(a.Number)
		c.Grant(1)
	}
}

func greet(fd int) {
	unix.Write(fd, []byte{1})
	unix.Close(fd)
}

// BenchmarkHandOver makes connections one after the other, and from many clients at once: direct to a server, and through a
// dispatcher, by its own protocol and by socketbox's.
func BenchmarkHandOver(b *testing.B) {
	for _, way := range []struct{ name, rules string }{
		{"direct", ""},
		{"own", "fallback = 'one'\n[backends.one]"},
		{"ruled", "fallback = 'one'\n[backends.one]\n[backends.two]\n[[routes]]\nclient = '192.0.2.0/24'\nto = 'two'"},
		{"A", "fallback = 'one'\n[backends.one]\nhandoff = 'DIR/one'"},
	} {
		b.Run(way.name, func(b *testing.B) {
			var place, address string
			pid, server := 0, "direct"
			if way.rules != "" {
				said, dispatcher := benchProcess(b, "dispatch "+way.rules)
				address, place, _ = strings.Cut(said, " ")
				pid, server = dispatcher, "own "+place+"/desk"
				if way.name == "A" {
					server = "A " + place + "/one"
				}
			}
			if said, _ := benchProcess(b, server); address == "" {
				address = said
			}
			for _, clients := range []int{1, 8, 32, 128} {
				b.Run(fmt.Sprint(clients), func(b *testing.B) { rush(b, address, clients, pid) })
			}
		})
	}
}

// benchProcess starts a process, and returns the first line that it says.
func benchProcess(b *testing.B, way string) (said string, pid int) {
	b.Helper()
	server := exec.Command(os.Args[0], "-test.run=^TestBenchServer$")
	server.Env = append(os.Environ(), "ROUTE_BENCH_SERVER="+way)
	in, err1 := server.StdinPipe()
	out, err2 := server.StdoutPipe()
	if err := errors.Join(err1, err2, server.Start()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		in.Close()
		if !strings.HasPrefix(way, "dispatch") {
			server.Process.Kill()
		}
		server.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(line), server.Process.Pid
}

// spentCPU is what a process has used (proc_pid_stat(5): fields 14 and 15, in hundredths of a second).
func spentCPU(b *testing.B, pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')'):]))
	user, _ := strconv.Atoi(fields[12])
	system, _ := strconv.Atoi(fields[13])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// rush makes b.N connections, and tells what one costs the dispatcher's process.
func rush(b *testing.B, address string, clients, dispatcher int) {
	to, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	jobs := make(chan struct{}, clients)
	took := make([][]time.Duration, clients)
	var all sync.WaitGroup
	var before time.Duration
	if dispatcher > 0 {
		before = spentCPU(b, dispatcher)
	}
	b.ResetTimer()
	for i := range clients {
		all.Go(func() {
			for range jobs {
				began := time.Now()
				if err := knock(to); err != nil {
					b.Error(err)
				}
				took[i] = append(took[i], time.Since(began))
			}
		})
	}
	for range b.N {
		jobs <- struct{}{}
	}
	close(jobs)
	all.Wait()
	b.StopTimer()
	if dispatcher > 0 {
		b.ReportMetric(float64((spentCPU(b, dispatcher)-before).Microseconds())/float64(b.N), "cpu-µs/op")
	}
	every := slices.Concat(took...)
	slices.Sort(every)
	b.ReportMetric(float64(every[len(every)/10].Nanoseconds())/1000, "p10-µs")
	b.ReportMetric(float64(every[len(every)/2].Nanoseconds())/1000, "p50-µs")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "conn/s")
}

// knock makes one connection with blocking calls, and reads a byte.
func knock(to *net.TCPAddr) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: to.Port, Addr: [4]byte(to.IP.To4())}); err != nil {
		return err
	}
	var answer [1]byte
	n, err := unix.Read(fd, answer[:])
	if n == 0 && err == nil {
		err = io.ErrUnexpectedEOF
	}
	unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}) // no TIME_WAIT
	return err
}
