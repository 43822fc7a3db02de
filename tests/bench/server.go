package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

const (
	// launchCommand is how bench starts itself to become a server.
	launchCommand = "launch"
	// patience is how long a server may take to start, and to give one reply.
	patience = 10 * time.Second
)

// A server is a running peer with everything it started.
type server struct {
	peer     peer
	sockets  []socket
	launched time.Duration // when its program was executed, on the monotonic clock; of a relay, when its server's was
	cmd      *exec.Cmd
	log      string        // path of what it printed
	ended    chan struct{} // closed when its first process has ended
	notified *net.UnixConn // where it tells that it is ready; nil: it does not
	behind   *server       // the server that a relay copies to
	beside   []*server     // the same program on the other sockets, where it serves one only
}

// start launches a peer on sockets and returns once its program is being executed; end it with stop.
func (b *bench) start(ctx context.Context, p peer, sockets []socket, connections int) (*server, error) {
	if p.single && len(sockets) > 1 {
		return b.startEach(ctx, p, sockets, connections)
	}
	if p.relay == nil {
		return b.startAlone(p, sockets, connections)
	}
	to, err := b.meeting(ctx, p)
	if err != nil {
		return nil, err
	}
	behind, err := b.startAlone(*p.behind, []socket{to}, connections)
	if err != nil {
		closeSockets([]socket{to})
		return nil, err
	}
	p.invoke = p.relay(to)
	s, err := b.startAlone(p, sockets, connections)
	if err != nil {
		behind.end()
		return nil, err
	}
	s.behind, s.launched = behind, behind.launched
	return s, nil
}

// startEach starts a program once for each socket. What it costs is that of all of them.
func (b *bench) startEach(ctx context.Context, p peer, sockets []socket, connections int) (*server, error) {
	var first *server
	for i := range sockets {
		s, err := b.start(ctx, p, sockets[i:i+1], connections)
		if err != nil && first != nil {
			first.stop()
		}
		if err != nil {
			return nil, err
		}
		if first == nil {
			first = s
			continue
		}
		first.beside = append(first.beside, s)
	}
	first.sockets = sockets
	return first, nil
}

// meeting is the socket between a relay and its server.
func (b *bench) meeting(ctx context.Context, p peer) (socket, error) {
	if !p.desk {
		return listen(ctx, "http")
	}
	dir, err := os.MkdirTemp(b.dir, "meeting-")
	return socket{addr: &net.UnixAddr{Net: "unix", Name: filepath.Join(dir, "socket")}}, err
}

func (b *bench) startAlone(p peer, sockets []socket, connections int) (*server, error) {
	dir, err := os.MkdirTemp(b.dir, "server-")
	if err != nil {
		return nil, fmt.Errorf("making a folder for %s: %w", p.name, err)
	}
	what, err := p.invoke(order{
		site: b.site, sockets: sockets, workers: len(b.cpus.server), connections: connections, logs: b.options.logs, dir: dir,
	})
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &server{peer: p, sockets: sockets, log: filepath.Join(dir, "output"), ended: make(chan struct{})}
	args := append([]string{launchCommand, formatProcessors(b.cpus.server), strconv.Itoa(len(inherited(sockets)))}, what.args...)
	s.cmd = exec.Command(self, args...)
	s.cmd.Dir = dir
	// Nothing of the caller's environment reaches a server: neither tuning nor a manager's sockets.
	s.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}, what.env...)
	if what.notify {
		at := &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"}
		if s.notified, err = net.ListenUnixgram(at.Net, at); err != nil {
			return nil, fmt.Errorf("waiting for %s: %w", p.name, err)
		}
		s.cmd.Env = append(s.cmd.Env, "NOTIFY_SOCKET="+at.Name)
	}
	s.cmd.SysProcAttr = ownSession()
	for _, socket := range inherited(sockets) {
		s.cmd.ExtraFiles = append(s.cmd.ExtraFiles, socket.file)
	}
	if err := s.execute(); err != nil {
		s.closeNotified()
		return nil, fmt.Errorf("starting %s: %w%s", p.name, err, s.lastWords())
	}
	return s, nil
}

// awaitReady waits until the server tells that it is ready.
func (s *server) awaitReady() error {
	if err := s.notified.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	for message := make([]byte, 4096); ; {
		n, err := s.notified.Read(message)
		if err != nil {
			return fmt.Errorf("waiting until %s is ready: %w", s.peer.name, err)
		}
		if bytes.Contains(message[:n], []byte("READY=1")) {
			return nil
		}
	}
}

func (s *server) closeNotified() {
	if s.notified != nil {
		s.notified.Close()
	}
}

// cpu is the CPU time used so far by all processes that a request passes through.
func (s *server) cpu() (time.Duration, error) {
	used, err := treeCPU(s.cmd.Process.Pid)
	for _, other := range s.others() {
		if err != nil {
			break
		}
		var more time.Duration
		more, err = other.cpu()
		used += more
	}
	return used, err
}

// others are the servers that belong to it.
func (s *server) others() []*server {
	if s.behind == nil {
		return s.beside
	}
	return append([]*server{s.behind}, s.beside...)
}

// execute starts the process and waits for the time at which the program took its place.
func (s *server) execute() error {
	log, err := os.Create(s.log)
	if err != nil {
		return err
	}
	defer log.Close()
	s.cmd.Stdout, s.cmd.Stderr = log, log
	stamp, writer, err := os.Pipe()
	if err != nil {
		return err
	}
	defer stamp.Close()
	s.cmd.ExtraFiles = append(s.cmd.ExtraFiles, writer)
	err = s.cmd.Start()
	writer.Close()
	if err != nil {
		return err
	}
	go func() {
		_ = s.cmd.Wait() // how it ended is in its log; that it ended is the fault
		close(s.ended)
	}()
	var launched [8]byte
	if err = stamp.SetReadDeadline(time.Now().Add(patience)); err == nil {
		_, err = io.ReadFull(stamp, launched[:])
	}
	if err != nil {
		s.stop()
		return fmt.Errorf("it was not executed: %w", err)
	}
	s.launched = time.Duration(binary.NativeEndian.Uint64(launched[:]))
	return nil
}

// lastWords is the end of what the server printed, for an error message.
func (s *server) lastWords() string {
	out, err := os.ReadFile(s.log)
	if line := lastLine(out); err == nil && line != "" {
		return ": " + line
	}
	return ""
}

// socket returns the server's socket of this role.
func (s *server) socket(role string) socket {
	for _, socket := range s.sockets {
		if socket.role == role {
			return socket
		}
	}
	return socket{}
}

// socketFor is where a workload loads the server: h2load has a socket of its own where others would not understand it.
func (s *server) socketFor(w workload) socket {
	if w.tool == "h2load" && slices.Contains(s.peer.roles, onlyHTTP2) {
		return s.socket(onlyHTTP2)
	}
	return s.socket(w.role)
}

func lastLine(out []byte) string {
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	return string(lines[len(lines)-1])
}
