package main

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

func allowedProcessors() ([]int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, err
	}
	var cpus []int
	for cpu := range len(set) * 64 {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus, nil
}

// pin holds one thread to cpus; 0 is the calling one.
func pin(thread int, cpus []int) error {
	var set unix.CPUSet
	for _, cpu := range cpus {
		set.Set(cpu)
	}
	if err := unix.SchedSetaffinity(thread, &set); err != nil {
		return fmt.Errorf("holding thread %d to CPU %s: %w", thread, formatProcessors(cpus), err)
	}
	return nil
}

// prepareProcess holds bench, and with it the clients it starts, to the clients' CPUs, raises the limit of descriptors, and makes it
// the parent of processes whose own parent has ended, so that it can wait for all of a server's (PR_SET_CHILD_SUBREAPER, prctl(2)).
func prepareProcess(client []int) error {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return fmt.Errorf("listing the threads of bench: %w", err)
	}
	for _, entry := range threads {
		thread, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if err := pin(thread, client); err != nil {
			return err
		}
	}
	raiseDescriptorLimit()
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("asking for orphaned servers to become children of bench: %w", err)
	}
	return nil
}
