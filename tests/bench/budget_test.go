package main

import (
	"testing"
	"time"
)

// All workloads with as many servers as there can be fit in the time.
func TestRoundsFitInTheTime(t *testing.T) {
	nine := make([]peer, 9)
	for i := range nine {
		nine[i] = peer{name: "nginx", roles: webRoles()}
	}
	five := make([]peer, 5)
	for i := range five {
		five[i] = peer{roles: []string{"http", answers}}
	}
	for quick, most := range map[bool]time.Duration{false: fullTime, true: quickTime} {
		chosen, err := chooseWorkloads("", quick)
		if err != nil {
			t.Fatal(err)
		}
		b := bench{
			options:     options{quick: quick, workloads: chosen},
			tools:       map[string]loadTool{"wrk": {}, "h2load": {}},
			contestants: map[string][]peer{servers: nine, activators: five, dispatchers: five, superservers: five},
		}
		once, fixed := b.expected()
		rounds := b.chooseRounds()
		if took := fixed + time.Duration(rounds)*once; rounds < leastRounds || took > most {
			t.Errorf("quick %v: %d rounds take %s", quick, rounds, took)
		}
		b.options.rounds = 99
		if got := b.chooseRounds(); got != 99 {
			t.Errorf("%d rounds", got)
		}
	}
}
