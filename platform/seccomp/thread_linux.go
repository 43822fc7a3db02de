package seccomp

import (
	"sync"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/platform"
)

// Thread is a thread of this process that is under a filter, and does nothing any more but be there.
type Thread struct {
	Notifier   *Notifier
	NoNewPrivs bool // programs started on it gain no privileges by executing setuid files

	end func()
}

// Under runs do on a new thread that is under the filter. Processes that do starts there (syscall.ForkExec) inherit it, and
// so do theirs; no other thread of this process does. An error of do is returned as it is; other errors wrap [ErrTaken],
// [ErrUnsupported] or [ErrDenied] where they are that. With an error, the thread has been ended and the notifier closed.
//
// Nobody answers while do runs: it must not make a call itself that the filter notifies of. A process may; it waits.
//
// The thread counts as a task under the filter, and a process's parent-death signal (PR_SET_PDEATHSIG, prctl(2)) is sent when
// it ends. So End is called when the processes have been reaped.
func Under(f Filter, p Privileges, do func() error) (*Thread, error) {
	type result struct {
		thread *Thread
		err    error
	}
	done := make(chan result, 1)
	ended := make(chan struct{})
	platform.OnOwnThread(func() {
		t, err := f.enter(p)
		if err == nil {
			t.end = sync.OnceFunc(func() { close(ended) })
			if err = do(); err != nil {
				t.Notifier.Close()
			}
		}
		if err != nil {
			done <- result{nil, err}
			return
		}
		done <- result{t, nil}
		<-ended
	})
	r := <-done
	return r.thread, r.err
}

// End lets the thread end. It returns at once, and may be called again.
func (t *Thread) End() { t.end() }

// enter puts the calling thread under the filter.
func (f Filter) enter(p Privileges) (*Thread, error) {
	fd, noNewPrivs, err := f.install(p)
	if err != nil {
		return nil, err
	}
	n, err := newNotifier(fd)
	if err != nil {
		return nil, err
	}
	return &Thread{Notifier: n, NoNewPrivs: noNewPrivs}, nil
}

func probe(p Privileges) (noNewPrivs bool, err error) {
	noNewPrivs, _, err = probeAll(p)
	return noNewPrivs, err
}

func probeAnswer(p Privileges) error {
	_, can, err := probeAll(p)
	if err == nil && !can {
		return ErrUnsupported
	}
	return err
}

func probeAll(p Privileges) (noNewPrivs, canPutAnswer bool, err error) {
	t, err := Under(Filter{Notify: []int{unix.SYS_BIND}}, p, func() error { return nil })
	if err != nil {
		return false, false, err
	}
	t.End()
	canPutAnswer = t.Notifier.CanPutAnswer()
	return t.NoNewPrivs, canPutAnswer, t.Notifier.Close()
}
