package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
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
}

// start launches a peer on sockets and returns once its program is being executed; end it with stop.
func (b *bench) start(ctx context.Context, p peer, sockets []socket) (*server, error) {
	if p.relay == nil {
		return b.startAlone(p, sockets)
	}
	to, err := b.meeting(ctx, p)
	if err != nil {
		return nil, err
	}
	behind, err := b.startAlone(*p.behind, []socket{to})
	if err != nil {
		closeSockets([]socket{to})
		return nil, err
	}
	p.invoke = p.relay(to)
	s, err := b.startAlone(p, sockets)
	if err != nil {
		behind.end()
		return nil, err
	}
	s.behind, s.launched = behind, behind.launched
	return s, nil
}

// meeting is the socket between a relay and its server.
func (b *bench) meeting(ctx context.Context, p peer) (socket, error) {
	if !p.desk {
		return listen(ctx, "http")
	}
	dir, err := os.MkdirTemp(b.dir, "meeting-")
	return socket{addr: &net.UnixAddr{Net: "unix", Name: filepath.Join(dir, "socket")}}, err
}

func (b *bench) startAlone(p peer, sockets []socket) (*server, error) {
	dir, err := os.MkdirTemp(b.dir, "server-")
	if err != nil {
		return nil, fmt.Errorf("making a folder for %s: %w", p.name, err)
	}
	what, err := p.invoke(b.site, sockets, len(b.cpus.server), dir)
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
	if err != nil || s.behind == nil {
		return used, err
	}
	behind, err := s.behind.cpu()
	return used + behind, err
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

// stop ends every process of the server at once and returns when all are gone. Its sockets stay open.
func (s *server) stop() {
	defer s.closeNotified()
	if s.behind != nil {
		defer s.behind.end()
	}
	root := s.cmd.Process.Pid
	tree, err := processTree(root)
	// The group first: its members cannot start others that the list lacks.
	_ = syscall.Kill(-root, syscall.SIGKILL) // ESRCH: it has ended already
	if err == nil {
		for _, p := range tree {
			if !p.zombie && p.pid != root {
				_ = syscall.Kill(p.pid, syscall.SIGKILL)
			}
		}
	}
	<-s.ended
	// Workers became children of bench when their parent ended (prepareProcess), some in groups of their own.
	groups := map[int]bool{root: true}
	for _, p := range tree {
		groups[p.group] = true
	}
	for group := range groups {
		reapGroup(group)
	}
}

// reapGroup waits for all children of bench in a process group.
func reapGroup(group int) {
	for {
		var status syscall.WaitStatus
		_, err := syscall.Wait4(-group, &status, 0, nil)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return // ECHILD: all are gone
		}
	}
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

func lastLine(out []byte) string {
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	return string(lines[len(lines)-1])
}
