package server

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// A server that is about to leave takes no client with it: from Pause to Resume everybody waits in the kernel's queue, and
// who was taken before is counted.
func TestPauseResume(t *testing.T) {
	runLoop(t, func(l *loop) {
		l.listen.knock()
		synctest.Wait()
		l.world.Pause()
		if !l.isParked() || l.world.Open() != 1 {
			t.Errorf("parked: %t, open: %d", l.isParked(), l.world.Open())
		}
		l.world.Pause() // twice is once
		for range 3 {
			l.listen.knock()
		}
		time.Sleep(time.Hour)
		if l.taken.Load() != 1 {
			t.Errorf("%d connections were taken during the pause", l.taken.Load()-1)
		}
		l.world.Resume()
		synctest.Wait()
		if l.taken.Load() != 4 || l.world.Open() != 4 || l.isParked() {
			t.Errorf("after Resume %d were taken, %d are open", l.taken.Load(), l.world.Open())
		}
		l.world.Resume() // without a pause nothing
		l.world.Pause()
		l.world.Resume()
		l.world.Pause() // before the loop has woken
		if !l.isParked() {
			t.Error("not parked after a quick Resume and Pause")
		}
		l.world.Resume()
		l.listen.knock()
		synctest.Wait()
		if l.taken.Load() != 5 {
			t.Error("the loop does not accept any more")
		}
	})
}

// A drain ends a paused loop too, gives the socket back, and may come twice.
func TestStop(t *testing.T) {
	runLoop(t, func(l *loop) {
		l.world.Pause()
		l.stop()
		synctest.Wait()
		if err := <-l.ended; err != nil {
			t.Error(err)
		}
		l.ended <- nil
		if l.listen.closes != 1 {
			t.Errorf("the socket was closed %d times", l.listen.closes)
		}
		l.stop()
		l.world.Resume()
		l.world.Pause()
		l.listen.knock()
		synctest.Wait()
		if l.taken.Load() != 0 {
			t.Error("a stopped loop took a connection")
		}
	})
}

// A client that gives up before it is served is no reason to stop, to wait, or to fill the log.
func TestAcceptClientsThatLeft(t *testing.T) {
	runLoop(t, func(l *loop) {
		begun := time.Now()
		for range 30 {
			for _, err := range []error{syscall.ECONNABORTED, syscall.EINTR, syscall.EPROTO, os.NewSyscallError("accept4", syscall.ECONNABORTED)} {
				l.listen.results <- err
			}
			synctest.Wait()
		}
		l.listen.knock()
		synctest.Wait()
		if l.taken.Load() != 1 || time.Since(begun) != 0 || l.world.log.String() != "" {
			t.Errorf("%d taken after %s, log %s", l.taken.Load(), time.Since(begun), l.world.log)
		}
	})
}

// A server that has run out of descriptors waits, longer and longer but at most a second, says so from time to time, and
// goes on when there are some again.
func TestAcceptOutOfDescriptors(t *testing.T) {
	runLoop(t, func(l *loop) {
		begun := time.Now()
		for range 100 {
			l.listen.results <- syscall.EMFILE
		}
		l.listen.knock()
		for l.taken.Load() == 0 {
			time.Sleep(time.Millisecond)
		}
		// 5, 10, 20 … 640 ms and then 92 times a second.
		if took := time.Since(begun).Round(10 * time.Millisecond); took != 93*time.Second+280*time.Millisecond {
			t.Errorf("it took %s", took)
		}
		said := l.world.log.entries(t, "cannot accept connections; they wait")
		if len(said) < 5 || len(said) > 10 || said[0]["socket"] != "fd:3" || !strings.Contains(fmt.Sprint(said[0]["err"]), "too many open files") || said[0]["level"] != "ERROR" {
			t.Errorf("%d lines: %v", len(said), said)
		}
		// Afterwards it starts small again.
		begun = time.Now()
		l.listen.results <- syscall.ENFILE
		l.listen.knock()
		for l.taken.Load() == 1 {
			time.Sleep(time.Millisecond)
		}
		if took := time.Since(begun); took > 10*time.Millisecond {
			t.Errorf("the next shortage takes %s", took)
		}
	})
}

// A socket that launchd or a shutdown(2) has made useless for ever ends the service with a sentence, so that the manager
// makes a new one; a single refusal does not.
func TestAcceptUselessSocket(t *testing.T) {
	runLoop(t, func(l *loop) {
		for range 3 {
			for range 9 {
				l.listen.results <- os.NewSyscallError("accept4", syscall.EINVAL)
			}
			l.listen.knock()
			time.Sleep(time.Minute)
		}
		if l.taken.Load() != 3 || len(l.ended) > 0 {
			t.Fatalf("%d taken, ended: %d", l.taken.Load(), len(l.ended))
		}
		for range 10 {
			l.listen.results <- os.NewSyscallError("accept4", syscall.EINVAL)
		}
		err := <-l.ended
		l.ended <- err
		if !errors.Is(err, syscall.EINVAL) || !strings.Contains(err.Error(), "fd:3: the socket does not listen any more") || !strings.Contains(err.Error(), "launchd") {
			t.Errorf("it ended with %v", err)
		}
		l.world.Pause() // does not wait for a loop that has ended
	})
}

// The service ends when one of its sockets is useless, rather than serving half of what it says it serves.
func TestServeEndsWithUselessSocket(t *testing.T) {
	noLeaks(t)
	bad, good := newScript(), listen(t)
	for range 10 {
		bad.results <- syscall.EINVAL
	}
	w := build(t, saying("x"), nil)
	w.serve(t, Socket{Listener: bad, Name: "bad"}, Socket{Listener: good, Name: "good"})
	if err := w.end(t); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("Serve gave %v", err)
	}
	if _, err := good.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the other socket is still open: %v", err)
	}
}

// A signal that comes before the first connection could be accepted ends the program, whoever holds the sockets.
func TestEndBeforeBegin(t *testing.T) {
	noLeaks(t)
	for name, end := range map[string]func(*world){
		"Close": func(w *world) { w.Close() },
		"Drain": func(w *world) { w.Drain(bound, true) },
	} {
		for _, held := range []bool{false, true} {
			w := build(t, saying("x"), nil)
			end(w)
			l := listen(t)
			go func() { w.ended <- w.Serve([]Socket{{Listener: l, Name: name, Bound: held}}) }()
			if err := w.end(t); err != nil {
				t.Errorf("%s, bound: %t: %v", name, held, err)
			}
			if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s, bound: %t: the socket stays open: %v", name, held, err)
			}
		}
	}
	for range 50 { // and at the same time
		w := build(t, saying("x"), nil)
		go func() {
			w.ended <- w.Serve([]Socket{{Listener: listen(t), Name: "fd:3", Bound: true}, {Listener: listen(t), Name: "fd:4"}})
		}()
		w.Close()
		if err := w.end(t); err != nil {
			t.Error(err)
		}
	}
}
