package servers

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/tests/program"
)

// startBare starts the server itself and waits until it answers on the port that it is configured for.
func (d *drill) startBare() error {
	var command []string
	for _, word := range d.command {
		command = append(command, d.fill(word))
	}
	begun := time.Now()
	d.launch(program.Run{Binary: command[0], Args: command[1:]})
	var err error
	for end := begun.Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if err = d.ask(); err == nil {
			return nil
		}
		if len(d.all()) == 0 {
			return errors.New("the server has ended")
		}
	}
	return err
}

// all is processes with the one that was started.
func (d *drill) all() []int {
	pids := d.processes()
	select {
	case <-d.process.Ended():
	default:
		pids = append(pids, d.process.Pid)
	}
	return pids
}

// reloadBare sends the signal of the row.
func (d *drill) reloadBare() error {
	if d.reload == "" || d.reload == "restart" || d.reload == "overlap" || d.daemon != "" {
		return nil
	}
	old := d.word
	d.word = "two"
	if err := d.write(); err != nil {
		return err
	}
	d.process.Signal(unix.SignalNum("SIG" + d.reload))
	return d.awaitReload(old, true, nil)
}

// endBare stops the server as its own way is, and holds that all its processes end.
func (d *drill) endBare() error {
	signal := syscall.SIGTERM
	if d.stopSignal != "" {
		signal = unix.SignalNum("SIG" + d.stopSignal)
	}
	for _, pid := range d.all() {
		if d.daemon == "" && pid != d.process.Pid {
			continue
		}
		_ = syscall.Kill(pid, signal)
	}
	if d.wait("", patience, func() bool { return len(d.all()) == 0 }) != nil {
		return fmt.Errorf("these have not ended after %v: %s", signal, strings.Join(d.names(), ", "))
	}
	return nil
}
