package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// processors says which CPUs the servers are held to, and which the clients; they differ where there are two.
type processors struct {
	server, client []int
}

func chooseProcessors() (processors, error) {
	allowed, err := allowedProcessors()
	if err != nil {
		return processors{}, fmt.Errorf("asking which CPUs may be used: %w", err)
	}
	return split(allowed, siblings), nil
}

// split gives the servers the first CPU and the clients the next one that is not the same core's second thread.
func split(allowed []int, siblings func(int) []int) processors {
	server := allowed[0]
	client := allowed[min(1, len(allowed)-1)]
	same := siblings(server)
	for _, cpu := range allowed[1:] {
		if !slices.Contains(same, cpu) {
			client = cpu
			break
		}
	}
	return processors{server: []int{server}, client: []int{client}}
}

// siblings returns the CPUs that share a core with cpu; none where the kernel does not tell.
func siblings(cpu int) []int {
	list, err := os.ReadFile(fmt.Sprintf("/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu))
	if err != nil {
		return nil
	}
	cpus, err := parseProcessors(strings.TrimSpace(string(list)))
	if err != nil {
		return nil
	}
	return cpus
}

// parseProcessors reads the kernel's form of a list of CPUs, such as 0,4-6 (cpuset(7), List format).
func parseProcessors(list string) ([]int, error) {
	var cpus []int
	for part := range strings.SplitSeq(list, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, err := strconv.Atoi(first)
		if err != nil {
			return nil, fmt.Errorf("reading the list of CPUs %q: %w", list, err)
		}
		to, err := strconv.Atoi(last)
		if err != nil {
			return nil, fmt.Errorf("reading the list of CPUs %q: %w", list, err)
		}
		for cpu := from; cpu <= to; cpu++ {
			cpus = append(cpus, cpu)
		}
	}
	return cpus, nil
}

// formatProcessors is the inverse of parseProcessors.
func formatProcessors(cpus []int) string {
	var list []string
	for _, cpu := range cpus {
		list = append(list, strconv.Itoa(cpu))
	}
	return strings.Join(list, ",")
}
