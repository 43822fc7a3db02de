package wake

import (
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/activation"
)

// script is an engine whose instances are shell scripts that know nothing of the socket.
type script struct {
	c      Config
	family *children
	mute   atomic.Bool // instances do not become ready
	rests  atomic.Int32

	connected, arrivals atomic.Int32
	countFails          atomic.Bool
	onHold              func(on bool)

	mu      sync.Mutex
	failing error
	started []*instance
	holds   []bool
}

func (s *script) start() (*instance, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failing != nil {
		return nil, s.failing
	}
	one, err := launch(s.c, s.family)
	if err != nil {
		return nil, err
	}
	go func() {
		<-one.main.ended
		<-one.errors.ended // nobody of it has standard error any more
		close(one.gone)
	}()
	if !s.mute.Load() {
		close(one.ready)
	}
	s.started = append(s.started, one)
	return one, nil
}

func (s *script) connections(*instance) (int, error) {
	if s.countFails.Load() {
		return 0, errors.New("not to be counted")
	}
	return int(s.connected.Load()), nil
}

func (s *script) arrived() bool { return s.arrivals.Swap(0) > 0 }

func (s *script) hold(on bool) {
	s.mu.Lock()
	s.holds = append(s.holds, on)
	act := s.onHold
	s.mu.Unlock()
	if act != nil {
		act(on)
	}
}

func (s *script) rest()         { s.rests.Add(1) }
func (s *script) waiting() bool { return false }

func (s *script) leave() {}

func (s *script) describe() string { return "scripts" }
func (s *script) close()           {}

func (s *script) starts() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.started)
}

func (s *script) instance(n int) *instance {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.started[n]
}

// stage is a life on a socket of its own, with the test as manager, client and sender of signals.
type stage struct {
	*life
	t       *testing.T
	script  *script
	signals chan os.Signal
	log     *buffer
	dir     string
	socket  int
	done    chan struct{}
	status  int
	err     error
}

// Programs for stages. DIR is the stage's folder.
const (
	obeys    = `trap 'exit 0' TERM; echo up >>DIR/up; while :; do sleep 0.02; done`
	dies     = `echo up >>DIR/up; exec sleep 60`
	stubborn = `trap '' TERM; echo up >>DIR/up; while :; do sleep 0.02; done`
	crashes  = `echo first >&2; echo last words >&2; exit 3`
)

// play prepares a life; run lets it begin. These tests are not parallel: a life takes all the children of its process for
// those of its program.
func play(t *testing.T, program string) *stage {
	t.Helper()
	s := &stage{t: t, signals: make(chan os.Signal, 8), log: &buffer{}, dir: t.TempDir(), done: make(chan struct{})}
	c := shell(strings.ReplaceAll(program, "DIR", s.dir), "PATH="+os.Getenv("PATH"))
	c.Sockets = []activation.Held{s.listen()}
	c.Lazy, c.StopTimeout, c.ReloadSignal = true, 10*time.Second, syscall.SIGHUP
	c.Log = slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	family := newFamily(t)
	s.script = &script{c: c, family: family}
	p := usualPace()
	p.firstWait, p.mostWait, p.again = 30*time.Millisecond, 60*time.Millisecond, 20*time.Millisecond
	s.life = &life{Config: c, mode: Listener, engine: s.script, family: family, signals: s.signals, pace: p}
	return s
}

func (s *stage) listen() activation.Held {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	unix.CloseOnExec(fd)
	s.t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		s.t.Fatal(err)
	}
	if err := unix.Listen(fd, 16); err != nil {
		s.t.Fatal(err)
	}
	s.socket = fd
	return activation.Held{Source: "fd:3", Number: fd, Kind: activation.Listener}
}

func (s *stage) run() *stage {
	go func() {
		defer close(s.done)
		s.status, s.err = s.live()
	}()
	s.t.Cleanup(func() {
		for range 2 {
			select {
			case s.signals <- syscall.SIGTERM:
			case <-s.done:
			}
		}
		s.ends()
		s.nothingLeft()
		if s.t.Failed() {
			s.t.Log(s.log.String())
		}
	})
	return s
}

// lasting begins with a program that is up from the start.
func (s *stage) lasting() *stage {
	s.Lazy = false
	s.run()
	s.up(1)
	if !s.script.mute.Load() {
		s.says("listens after")
	}
	return s
}

func (s *stage) ends() {
	s.t.Helper()
	await(s.t, s.done, "the end of the life")
}

func (s *stage) endsWith(status int) {
	s.t.Helper()
	s.ends()
	if s.status != status || s.err != nil {
		s.t.Errorf("status %d, %v; want %d", s.status, s.err, status)
	}
}

func (s *stage) nothingLeft() {
	s.t.Helper()
	for i, one := range s.script.started {
		if !over(one.gone) {
			s.t.Errorf("processes of instance %d are left", i)
			syscall.Kill(-one.main.pid, syscall.SIGKILL)
		}
	}
}

func (s *stage) knock() {
	s.t.Helper()
	address, err := unix.Getsockname(s.socket)
	if err != nil {
		s.t.Fatal(err)
	}
	four := address.(*unix.SockaddrInet4)
	conn, err := net.DialTCP("tcp", nil, &net.TCPAddr{IP: four.Addr[:], Port: four.Port})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
}

// take accepts the clients that wait.
func (s *stage) take() {
	unix.SetNonblock(s.socket, true)
	for {
		fd, _, err := unix.Accept(s.socket)
		if err != nil {
			return
		}
		unix.Close(fd)
	}
}

func (s *stage) says(text string) {
	s.t.Helper()
	eventually(s.t, "the log says "+text, func() bool { return strings.Contains(s.log.String(), text) })
}

// wrote waits until the programs wrote a line to a file so often.
func (s *stage) wrote(file string, times int) {
	s.t.Helper()
	eventually(s.t, "programs write "+file, func() bool {
		text, _ := os.ReadFile(filepath.Join(s.dir, file))
		return strings.Count(string(text), "\n") >= times
	})
}

// up waits for the nth instance, whose traps are set then.
func (s *stage) up(times int) { s.t.Helper(); s.wrote("up", times) }

func (s *stage) send(signals ...os.Signal) {
	for _, one := range signals {
		s.signals <- one
	}
}

func TestAsleepUntilAClientKnocks(t *testing.T) {
	s := play(t, obeys).run()
	s.says("asleep until a client knocks")
	if n := s.script.starts(); n != 0 {
		t.Fatalf("%d starts before a client knocked", n)
	}
	s.knock()
	s.up(1)
	s.says("listens after")
	s.send(syscall.SIGTERM)
	s.endsWith(0)
}

func TestClientFromBeforeTheStart(t *testing.T) {
	s := play(t, obeys)
	s.knock()
	s.run().up(1)
	if strings.Contains(s.log.String(), "asleep") {
		t.Error("it slept while a client waited")
	}
}

func TestNotLazyEndsAsTheProgram(t *testing.T) {
	for program, want := range map[string]int{"exit 0": 0, "exit 5": 5, "kill -KILL $$": 137} {
		t.Run(program, func(t *testing.T) {
			s := play(t, program)
			s.Lazy = false
			s.run().endsWith(want)
		})
	}
}

func TestTermination(t *testing.T) {
	for name, test := range map[string]struct {
		program string
		signal  os.Signal
		want    int
	}{
		"ends well":               {obeys, syscall.SIGTERM, 0},
		"by the signal":           {dies, syscall.SIGTERM, 0},
		"by another one":          {dies, syscall.SIGINT, 0},
		"with a status":           {`trap 'exit 9' TERM; echo up >>DIR/up; while :; do sleep 0.02; done`, syscall.SIGTERM, 9},
		"leaves a stubborn child": {`trap 'exit 0' TERM; (trap '' TERM; exec sleep 60) & echo up >>DIR/up; while :; do sleep 0.02; done`, syscall.SIGTERM, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := play(t, test.program)
			s.StopTimeout = 300 * time.Millisecond
			s.lasting()
			s.send(test.signal)
			s.endsWith(test.want)
			s.nothingLeft()
		})
	}
}

func TestSignalsWhileAsleep(t *testing.T) {
	s := play(t, obeys).run()
	s.says("asleep")
	s.send(syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGWINCH)
	s.says("passed to nobody")
	s.send(syscall.SIGINT)
	s.endsWith(0)
	if s.script.starts() != 0 {
		t.Error("a signal started the program")
	}
}

func TestStubbornProgramIsKilled(t *testing.T) {
	s := play(t, stubborn)
	s.StopTimeout = 50 * time.Millisecond
	s.lasting()
	s.send(syscall.SIGTERM)
	s.endsWith(137)
	s.says("did not end within 50ms")
}

// timeout(1) sends its signal to its child and then to the group that both are in.
func TestSignalThatIsSentTwice(t *testing.T) {
	s := play(t, `trap 'sleep 0.2; exit 0' TERM; echo up >>DIR/up; while :; do sleep 0.02; done`)
	s.pace.echo = time.Minute
	s.lasting()
	s.send(syscall.SIGTERM, syscall.SIGTERM)
	s.endsWith(0)
	if strings.Contains(s.log.String(), "second signal") {
		t.Error("the second one killed it")
	}
}

func TestSecondSignalKills(t *testing.T) {
	s := play(t, stubborn)
	s.StopTimeout = time.Hour
	s.lasting()
	s.send(syscall.SIGTERM, syscall.SIGINT)
	s.endsWith(137)
	s.says("killed by a second signal")
}

func TestSignalsArePassedOn(t *testing.T) {
	s := play(t, `for s in HUP USR1 USR2 QUIT WINCH; do trap "echo $s >>DIR/got" $s; done
		trap 'exit 0' TERM; echo up >>DIR/up; while :; do sleep 0.02; done`).lasting()
	for i, one := range []os.Signal{syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGQUIT, syscall.SIGWINCH, syscall.SIGHUP} {
		s.send(one)
		s.wrote("got", i+1)
	}
	text, _ := os.ReadFile(s.dir + "/got")
	if string(text) != "USR1\nUSR2\nQUIT\nWINCH\nHUP\n" {
		t.Errorf("got %q", text)
	}
}

func TestSignalsWaitWhileTheProgramLoads(t *testing.T) {
	s := play(t, `sleep 0.2; trap "echo HUP >>DIR/got" HUP; trap "echo USR1 >>DIR/got" USR1; trap 'exit 0' TERM
		echo up >>DIR/up; while :; do sleep 0.02; done`)
	s.Lazy = false
	s.script.mute.Store(true)
	s.run()
	s.says("is started")
	s.send(syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGHUP)
	s.up(1)
	close(s.script.instance(0).ready)
	s.wrote("got", 2)
	s.send(syscall.SIGTERM)
	s.endsWith(0)
}

func TestStopWhileLoading(t *testing.T) {
	s := play(t, obeys)
	s.script.mute.Store(true)
	s.lasting()
	s.send(syscall.SIGTERM)
	s.endsWith(0)
}

func TestStartLimit(t *testing.T) {
	s := play(t, `echo still reading >&2; `+obeys)
	s.Lazy, s.StartLimit = false, 300*time.Millisecond
	s.script.mute.Store(true)
	s.run().ends()
	if s.err == nil || !strings.Contains(s.err.Error(), "did not listen within 300ms: still reading; it needs longer (--start-timeout)") {
		t.Errorf("%v", s.err)
	}
}

func TestStartLimitOfALazyProgram(t *testing.T) {
	s := play(t, obeys)
	s.StartLimit = 300 * time.Millisecond
	s.script.mute.Store(true)
	s.knock()
	s.run()
	s.says("did not listen within 300ms")
	s.up(2)
}

func TestDiagnosis(t *testing.T) {
	s := play(t, obeys)
	s.pace.patience = 20 * time.Millisecond
	s.script.mute.Store(true)
	s.lasting()
	s.says("does not listen yet: it is still loading, or")
	s.says("--no-io-uring")
	close(s.script.instance(0).ready)
	s.says("listens after")
}

func TestCrashIsToldAndTriedAgain(t *testing.T) {
	s := play(t, crashes)
	s.knock()
	s.run()
	s.says("sh ended with status 3: first | last words; it is started for the next client, in 30ms at the earliest")
	eventually(t, "three starts", func() bool { return s.script.starts() >= 3 })
	s.says("in 60ms at the earliest")
	s.send(syscall.SIGTERM)
	s.ends()
	if s.err != nil {
		t.Error(s.err)
	}
}

func TestBackingOff(t *testing.T) {
	s := play(t, crashes)
	s.pace.firstWait, s.pace.mostWait = time.Hour, time.Hour
	s.knock()
	s.run()
	s.says("in 1h0m0s at the earliest")
	before := cpu(t)
	time.Sleep(200 * time.Millisecond) // the client waits all the time
	if used := cpu(t) - before; used > 50*time.Millisecond {
		t.Errorf("%s of CPU used while backing off", used)
	}
	s.send(syscall.SIGUSR1) // nobody to pass it to
	if s.says("passed to nobody"); s.script.starts() != 1 {
		t.Errorf("%d starts", s.script.starts())
	}
	s.send(syscall.SIGHUP) // the administrator mended something
	eventually(t, "a start after the reload", func() bool { return s.script.starts() == 2 })
	eventually(t, "a second back-off", func() bool { return strings.Count(s.log.String(), "at the earliest") == 2 })
	s.send(syscall.SIGTERM)
	s.ends()
}

func cpu(t *testing.T) time.Duration {
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func TestEndingWellWithoutServingIsSlowedDown(t *testing.T) {
	s := play(t, "exit 0")
	s.pace.firstWait, s.pace.mostWait = time.Hour, time.Hour
	s.knock()
	s.run()
	s.says("ends again and again with its clients still waiting")
	if n := s.script.starts(); n != freeEnds+1 {
		t.Errorf("%d starts until then", n)
	}
	s.send(syscall.SIGTERM)
	s.ends()
}

func TestEndOfALazyProgramIsSleep(t *testing.T) {
	s := play(t, "echo up >>DIR/up; while [ ! -e DIR/end ]; do sleep 0.02; done; rm DIR/end")
	s.run().says("asleep")
	for n := range 3 {
		s.knock()
		s.up(n + 1)
		s.take()
		os.WriteFile(s.dir+"/end", nil, 0o644)
		eventually(t, "sleep", func() bool { return strings.Count(s.log.String(), "asleep") == n+2 })
	}
	if got := s.script.rests.Load(); got != 3 {
		t.Errorf("the sockets were put back %d times", got)
	}
}

func TestNotStarted(t *testing.T) {
	missing := NotStarted{127, errors.New("it is not there")}
	s := play(t, obeys)
	s.Lazy, s.script.failing = false, missing
	s.run().ends()
	if s.err != missing {
		t.Errorf("%v", s.err)
	}
}

func TestLazyProgramThatIsAway(t *testing.T) {
	s := play(t, obeys)
	s.script.failing = NotStarted{127, errors.New("it is not there")}
	s.knock()
	s.run()
	s.says("it is not there; it is started for the next client")
	s.script.mu.Lock()
	s.script.failing = nil // an upgrade put it there again
	s.script.mu.Unlock()
	s.up(1)
}

func TestRefusedWhenAClientKnocks(t *testing.T) {
	s := play(t, obeys)
	s.script.failing = Refused{"never"}
	s.knock()
	s.run().ends()
	if s.err != (Refused{"never"}) {
		t.Errorf("%v", s.err)
	}
}

func TestDaemon(t *testing.T) {
	const daemon = `(trap 'echo HUP >>DIR/got' HUP; trap 'exit 0' TERM; echo up >>DIR/up; while :; do sleep 0.02; done) & exit 0`
	s := play(t, daemon)
	s.pace.farewell = 20 * time.Millisecond
	s.lasting()
	s.says("goes on in the background")
	s.send(syscall.SIGHUP)
	s.wrote("got", 1)
	s.send(syscall.SIGTERM)
	s.endsWith(0)
}

func TestCrashThatLeavesOthersBehind(t *testing.T) {
	s := play(t, `(trap 'exit 0' TERM; echo up >>DIR/up; while :; do sleep 0.02; done) & while [ ! -e DIR/up ]; do sleep 0.02; done; exit 4`)
	s.Lazy, s.pace.farewell = false, 20*time.Millisecond
	s.run().endsWith(4)
	s.says("the processes that it left behind are stopped")
	s.nothingLeft()
}

func TestReloadBySignalKeepsTheInstance(t *testing.T) {
	s := play(t, `trap 'echo USR2 >>DIR/got' USR2; `+obeys)
	s.ReloadSignal = syscall.SIGUSR2
	s.lasting()
	s.send(syscall.SIGHUP)
	s.wrote("got", 1)
	if s.script.starts() != 1 {
		t.Error("it was started again")
	}
}

func TestReloadByRestart(t *testing.T) {
	s := play(t, obeys)
	s.Reload = ReloadRestart
	s.lasting()
	s.send(syscall.SIGHUP)
	s.up(2)
	if !over(s.script.instance(0).gone) {
		t.Error("the old one still runs")
	}
	s.script.mu.Lock()
	if !slices.Equal(s.script.holds, []bool{true, false}) {
		t.Errorf("clients were held back: %v", s.script.holds)
	}
	s.script.mu.Unlock()
	s.send(syscall.SIGTERM)
	s.endsWith(0)
}

func TestReloadByOverlap(t *testing.T) {
	s := play(t, obeys)
	s.Reload = ReloadOverlap
	s.lasting()
	s.script.mute.Store(true)
	s.send(syscall.SIGHUP)
	s.up(2)
	old, young := s.script.instance(0), s.script.instance(1)
	if over(old.main.ended) {
		t.Fatal("the old one ended before the new one was ready")
	}
	close(young.ready)
	await(t, old.gone, "the end of the old one")
	if s.script.rests.Load() != 0 {
		t.Error("the sockets were put back under the new one")
	}
	if over(young.main.ended) {
		t.Error("the new one was stopped")
	}
	s.send(syscall.SIGTERM)
	s.endsWith(0)
}

func TestOverlapThatFails(t *testing.T) {
	s := play(t, `[ -e DIR/up ] && { echo port taken >&2; exit 1; }; `+obeys)
	s.Reload = ReloadOverlap
	s.lasting()
	s.script.mute.Store(true)
	s.send(syscall.SIGHUP)
	s.says("the new sh ended with status 1: port taken; the old one goes on")
	if over(s.script.instance(0).main.ended) {
		t.Error("the old one ended")
	}
	s.send(syscall.SIGTERM)
	s.endsWith(0)
}

func TestOverlapWhoseOldInstanceEnds(t *testing.T) {
	s := play(t, obeys)
	s.Reload = ReloadOverlap
	s.lasting()
	s.script.mute.Store(true)
	s.send(syscall.SIGHUP)
	s.up(2)
	s.family.signal(s.script.instance(0).main, syscall.SIGKILL)
	await(t, s.script.instance(0).gone, "the end of the old one")
	close(s.script.instance(1).ready)
	s.says("listens after")
	s.send(syscall.SIGTERM)
	s.endsWith(0)
}

func TestStopDuringOverlapEndsBoth(t *testing.T) {
	s := play(t, obeys)
	s.Reload = ReloadOverlap
	s.lasting()
	s.script.mute.Store(true)
	s.send(syscall.SIGHUP)
	s.up(2)
	s.send(syscall.SIGTERM)
	s.endsWith(0)
	s.nothingLeft()
}

// idler is a stage with a program that is stopped after a short idle time.
func idler(t *testing.T, program string) *stage {
	s := play(t, program)
	s.IdleStop = 100 * time.Millisecond
	s.knock()
	return s
}

func TestIdleStopAndStartAgain(t *testing.T) {
	s := idler(t, obeys).run()
	for n := range 3 {
		s.up(n + 1)
		s.take()
		eventually(t, "sleep", func() bool { return strings.Count(s.log.String(), "asleep") == n+1 })
		s.knock()
	}
}

func TestNoIdleStopWhileAClientIsThere(t *testing.T) {
	s := idler(t, obeys)
	s.script.connected.Store(1)
	s.run().up(1)
	s.take()
	time.Sleep(3 * s.IdleStop)
	if strings.Contains(s.log.String(), "is stopped") {
		t.Fatal("it was stopped under a client")
	}
	s.script.connected.Store(0)
	s.says("is stopped: no client for 100ms")
}

func TestNoIdleStopWhileNobodyCanTell(t *testing.T) {
	s := idler(t, obeys)
	s.script.countFails.Store(true)
	s.run().up(1)
	s.take()
	s.says("its connections cannot be counted")
	time.Sleep(3 * s.IdleStop)
	if strings.Contains(s.log.String(), "is stopped:") {
		t.Fatal("it was stopped")
	}
	if n := strings.Count(s.log.String(), "cannot be counted"); n != 1 {
		t.Errorf("told %d times", n)
	}
}

func TestClientAtTheVeryMomentOfTheStop(t *testing.T) {
	s := idler(t, obeys)
	var once sync.Once
	s.script.onHold = func(on bool) {
		if on {
			once.Do(func() { s.script.arrivals.Store(1) })
		}
	}
	s.run().up(1)
	s.take()
	s.says("is stopped")
	s.script.mu.Lock()
	defer s.script.mu.Unlock()
	if len(s.script.holds) < 3 || !slices.Equal(s.script.holds[:3], []bool{true, false, true}) {
		t.Errorf("clients were held back: %v", s.script.holds)
	}
}

const slow = `trap 'while [ ! -e DIR/go ]; do sleep 0.02; done; rm DIR/go; exit ${STATUS:-0}' TERM
	echo up >>DIR/up; while :; do sleep 0.02; done`

func TestKnockDuringTheStop(t *testing.T) {
	s := idler(t, slow).run()
	s.up(1)
	s.take()
	s.says("is stopped")
	s.knock()
	if s.script.starts() != 1 {
		t.Fatal("it was started beside the one that ends")
	}
	os.WriteFile(s.dir+"/go", nil, 0o644)
	s.up(2)
	os.WriteFile(s.dir+"/go", nil, 0o644)
}

func TestSignalsDuringTheStop(t *testing.T) {
	s := idler(t, slow).run()
	s.up(1)
	s.take()
	s.says("is stopped")
	s.send(syscall.SIGHUP, syscall.SIGWINCH, syscall.SIGTERM)
	s.knock() // too late
	eventually(t, "the signals are taken", func() bool { return len(s.signals) == 0 })
	os.WriteFile(s.dir+"/go", nil, 0o644)
	s.endsWith(0)
	if s.script.starts() != 1 {
		t.Error("it was started again")
	}
}

func TestCrashDuringTheIdleStop(t *testing.T) {
	s := idler(t, "STATUS=6; "+slow).run()
	s.up(1)
	s.take()
	s.says("is stopped")
	os.WriteFile(s.dir+"/go", nil, 0o644)
	s.says("sh ended with status 6 when it was stopped")
	s.says("asleep")
	s.knock()
	s.up(2)
	os.WriteFile(s.dir+"/go", nil, 0o644)
}

func TestSignalToAllProcessesOfTheService(t *testing.T) {
	s := play(t, dies).lasting()
	s.family.signal(s.script.instance(0).main, syscall.SIGTERM) // systemd's KillMode=control-group
	s.send(syscall.SIGTERM)
	s.endsWith(0)
}

func TestNoticesToTheManager(t *testing.T) {
	path := t.TempDir() + "/notify"
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	heard := func(want ...string) {
		t.Helper()
		conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		for _, want := range want {
			notice := make([]byte, 4096)
			n, err := conn.Read(notice)
			if err != nil {
				t.Fatalf("%s: %v", want, err)
			}
			if !strings.Contains(string(notice[:n]), want) {
				t.Fatalf("heard %q, want %q", notice[:n], want)
			}
		}
	}
	s := play(t, `trap '' HUP; [ -e DIR/crash ] && { echo broken >&2; exit 3; }; `+obeys)
	s.pace.firstWait = 500 * time.Millisecond
	s.run()
	heard("READY=1\nSTATUS=asleep until a client knocks")
	s.knock()
	heard("READY=1\nSTATUS=sh is up (pid ")
	s.up(1)
	s.take()
	s.send(syscall.SIGHUP)
	heard("RELOADING=1", "READY=1\nSTATUS=sh is up")
	os.WriteFile(s.dir+"/crash", nil, 0o644)
	s.script.mute.Store(true)
	s.family.signal(s.script.instance(0).main, syscall.SIGABRT)
	heard("sh was ended by SIGABRT; starting again in 500ms", "STATUS=asleep until a client knocks; sh was ended by SIGABRT")
	s.knock()
	heard("sh ended with status 3: broken; starting again")
	s.send(syscall.SIGTERM)
	heard("STOPPING=1")
	s.ends()
}

func TestWatchdogIsKeptContent(t *testing.T) {
	path := t.TempDir() + "/notify"
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	s := play(t, slow)
	s.Lazy = false
	beats := make(chan time.Time)
	s.beats = beats
	s.run().up(1)
	beat := func() {
		t.Helper()
		select {
		case beats <- time.Now():
		case <-time.After(10 * time.Second):
			t.Fatal("no beat is taken")
		}
	}
	beat()
	s.send(syscall.SIGTERM)
	beat() // while it is stopped
	os.WriteFile(s.dir+"/go", nil, 0o644)
	s.ends()
	var notices string
	for conn.SetReadDeadline(time.Now().Add(10 * time.Second)); strings.Count(notices, "WATCHDOG=1") < 2; {
		notice := make([]byte, 4096)
		n, err := conn.Read(notice)
		if err != nil {
			t.Fatalf("%v after %q", err, notices)
		}
		notices += string(notice[:n])
	}
}

func TestDescriptorsStayTheSame(t *testing.T) {
	s := play(t, "exit 1")
	s.pace.firstWait, s.pace.mostWait = time.Microsecond, time.Microsecond
	s.knock()
	s.run()
	count := func() int {
		entries, err := os.ReadDir("/dev/fd")
		if err != nil {
			t.Skip(err)
		}
		return len(entries)
	}
	eventually(t, "some starts", func() bool { return s.script.starts() > 20 })
	before := count()
	eventually(t, "more starts", func() bool { return s.script.starts() > 100 })
	if after := count(); after > before+5 {
		t.Errorf("%d descriptors, then %d", before, after)
	}
}

func TestReloadSignalThatEndsTheProgram(t *testing.T) {
	s := play(t, dies)
	s.Reload = ReloadSignal
	s.knock()
	s.run().up(1)
	s.take()
	s.send(syscall.SIGHUP)
	s.says("sh was ended by SIGHUP; it does not reload by that signal: --reload=restart starts it anew; it is started for the next client")
}
