package main

import (
	"time"
)

// How long bench may take, and how often a server is measured in that time.
const (
	fullTime  = 20 * time.Minute
	quickTime = 2 * time.Minute

	mostRounds  = 7
	leastRounds = 3
)

// chooseRounds returns as many rounds as time allows, unless --rounds says how many.
func (b *bench) chooseRounds() int {
	if b.options.rounds > 0 {
		return b.options.rounds
	}
	once, fixed := b.expected()
	left := fullTime*9/10 - fixed // programs are looked for and compiled meanwhile
	if b.options.quick {
		left = quickTime*6/10 - fixed
	}
	rounds := mostRounds
	if once > 0 {
		rounds = int(left / once)
	}
	return min(mostRounds, max(leastRounds, rounds))
}

// duration is about how long all will take.
func (b *bench) duration() time.Duration {
	once, fixed := b.expected()
	return (fixed + time.Duration(b.rounds)*once).Round(time.Second)
}

// expected is about how long a round of all servers in all workloads takes, and how long everything takes that is done once.
func (b *bench) expected() (once, fixed time.Duration) {
	const tool = 150 * time.Millisecond // to start one, and to read what servers have used
	for _, w := range b.runnable(b.options.workloads) {
		contestants := time.Duration(len(b.taking(w)))
		load := contestants * (b.lengthOf(w) + tool)
		if w.tool == keptOpen {
			load += contestants * time.Duration(w.clients) * 200 * time.Microsecond // to open them
		}
		switch w.tool {
		case coldStart:
			once += coldRounds * contestants * 20 * time.Millisecond
		case firstTime:
			once += contestants * 1500 * time.Millisecond
		case memoryUse:
			fixed += contestants * 9 * time.Second
		default:
			once += load
			fixed += load // the warm-up
			if w.files > 0 {
				fixed += contestants * time.Duration(w.files) * 100 * time.Microsecond
			}
		}
	}
	return once, fixed
}

// coldRounds is how many cold starts there are for each round under load: they take milliseconds.
const coldRounds = 3

// taking are the contestants of a workload.
func (b *bench) taking(w workload) []peer {
	var all []peer
	for _, p := range b.contestants[w.field] {
		if p.takesPart(w) {
			all = append(all, p)
		}
	}
	return all
}
