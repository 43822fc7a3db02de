package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A quota is two control groups (cgroups(7)). One holds web servers under load to a share of their CPU, so that they, and not the
// clients, are what limits the rate: a server that waits for its clients does less with each system call, and its figures would be
// those of the client. Bench itself and the clients are in the other; both come before whatever else the machine does.
type quota struct {
	parent           string // folder of the group that bench was in
	clients, servers string // folders; empty: there is none
	second           bool   // of version 2
}

// What servers may use of each period.
const (
	quotaPeriod = 10 * time.Millisecond
	quotaUse    = 3 * time.Millisecond
)

// newQuota makes the groups below that of bench, and moves bench.
func newQuota() (quota, error) {
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return quota{}, fmt.Errorf("looking for control groups: %w", err)
	}
	var q quota
	if q.parent, q.second = cpuGroup(string(own)); q.parent == "" {
		return q, errors.New("no control group of this process has the cpu controller")
	}
	name := filepath.Join(q.parent, "rouse-bench-"+strconv.Itoa(os.Getpid()))
	for _, group := range []struct {
		path *string
		name string
	}{{&q.clients, name + "-clients"}, {&q.servers, name + "-servers"}} {
		if err = os.Mkdir(group.name, 0o755); err != nil {
			err = fmt.Errorf("making a control group: %w", err)
			break
		}
		*group.path = group.name
	}
	if err == nil {
		err = q.fill()
	}
	if err != nil {
		q.remove()
		q.clients, q.servers = "", ""
	}
	return q, err
}

// fill says what the groups may use, and moves bench: ten times the default weight, and of servers no more than the quota.
func (q quota) fill() error {
	use, period := strconv.FormatInt(quotaUse.Microseconds(), 10), strconv.FormatInt(quotaPeriod.Microseconds(), 10)
	settings := [][3]string{
		{q.servers, "cpu.cfs_period_us", period}, {q.servers, "cpu.cfs_quota_us", use},
		{q.servers, "cpu.shares", "10240"}, {q.clients, "cpu.shares", "10240"},
	}
	if q.second {
		settings = [][3]string{{q.servers, "cpu.max", use + " " + period}, {q.servers, "cpu.weight", "1000"}, {q.clients, "cpu.weight", "1000"}}
	}
	for _, s := range settings {
		if err := set(s[0], s[1], s[2]); err != nil {
			return err
		}
	}
	return set(q.clients, "cgroup.procs", strconv.Itoa(os.Getpid()))
}

// cpuGroup returns the folder of the group that has the cpu controller, by what /proc/PID/cgroup says, and whether it is of version 2.
func cpuGroup(own string) (folder string, second bool) {
	const root = "/sys/fs/cgroup"
	for line := range strings.Lines(own) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) < 3 {
			continue
		}
		for controller := range strings.SplitSeq(fields[1], ",") {
			if controller == "cpu" {
				return filepath.Join(root, fields[1], fields[2]), false
			}
		}
		if fields[0] == "0" {
			folder = filepath.Join(root, fields[2])
		}
	}
	return folder, true
}

func set(group, file, value string) error {
	if err := os.WriteFile(filepath.Join(group, file), []byte(value), 0); err != nil {
		return fmt.Errorf("using a control group: %w", err)
	}
	return nil
}

// hold moves all processes of a server into the group with the quota, and with them those that they start; release takes them out.
func (q quota) hold(s *server) error    { return move(s, q.servers) }
func (q quota) release(s *server) error { return move(s, q.clients) }

func move(s *server, group string) error {
	if group == "" {
		return nil
	}
	for _, one := range append(s.others(), s) {
		tree, err := processTree(one.cmd.Process.Pid)
		if err != nil {
			return err
		}
		for _, p := range tree {
			if p.zombie {
				continue
			}
			if err := set(group, "cgroup.procs", strconv.Itoa(p.pid)); err != nil {
				return err
			}
		}
	}
	return nil
}

// remove moves bench back and removes the groups, which have no processes any more.
func (q quota) remove() {
	if q.clients != "" {
		_ = set(q.parent, "cgroup.procs", strconv.Itoa(os.Getpid())) // should it not work, the group stays
		_ = os.Remove(q.clients)
	}
	if q.servers != "" {
		_ = os.Remove(q.servers)
	}
}

func (q quota) String() string {
	if q.servers == "" {
		return ""
	}
	return fmt.Sprintf("held to %s of each %s of their CPU, so that clients are never the limit", quotaUse, quotaPeriod)
}
