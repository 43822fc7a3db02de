package handoff

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkGive passes connections from a dispatcher to a backend, one after the other as soon as there is credit, until
// each is accepted. Both sides run in this process: it is the work of two.
func BenchmarkGive(b *testing.B) {
	for name, credit := range map[string]int{"credit=128": 128, "credit=1": 1} {
		b.Run(name, func(b *testing.B) { benchGive(b, credit) })
	}
}

func benchGive(b *testing.B, credit int) {
	d := openDesk(b)
	_, fd := connection(b)
	r := Register(d.Path(), "blog", RegisterOptions{Credit: credit})
	defer r.Close()
	s, w, _ := admit(b, d, Connection, 0)
	go func() {
		for {
			a, err := r.Next(b.Context())
			if err != nil {
				return
			}
			a.Accepted()
			unix.Close(a.Number)
			r.Grant(1)
		}
	}()
	var before, after unix.Rusage
	unix.Getrusage(unix.RUSAGE_SELF, &before)
	b.ReportAllocs()
	b.ResetTimer()
	var open int
	for given := 0; given < b.N || open > 0; {
		if given < b.N {
			if _, err := s.Give(fd, Meta{}); err == nil {
				given, open = given+1, open+1
				continue
			} else if !errors.Is(err, ErrFull) {
				b.Fatal(err)
			}
		}
		select {
		case <-w.accepted:
			open--
		case <-w.credit:
		}
	}
	b.StopTimer()
	unix.Getrusage(unix.RUSAGE_SELF, &after)
	cpu := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "connections/s")
	b.ReportMetric(float64(b.N)/cpu.Seconds(), "connections/cpu-s")
}
