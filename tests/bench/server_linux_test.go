package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test binary be what bench starts: the launcher, a server, a process that uses CPU.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case launchCommand, answerCommand:
			fmt.Fprintln(os.Stderr, insides()[os.Args[1]](os.Args[2:]))
			os.Exit(127)
		case "serve-inherited":
			serveInherited()
			return
		case "use-cpu":
			useCPU(os.Args[2:])
			return
		}
	}
	os.Exit(m.Run())
}

// serveInherited is a server as peers are: it takes the sockets it was passed, and has a worker process that stays.
func serveInherited() {
	if os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		fmt.Println("LISTEN_PID is not this process")
		os.Exit(1)
	}
	if len(os.Args) > 2 { // the name of a key pair
		fmt.Println("told to fail")
		os.Exit(1)
	}
	worker := exec.Command("sleep", "60")
	if err := worker.Start(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	listener, err := net.FileListener(os.NewFile(firstSocket, "listener"))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	if address := os.Getenv("NOTIFY_SOCKET"); address != "" {
		manager, err := net.Dial("unixgram", address)
		if err == nil {
			_, err = manager.Write([]byte("STATUS=waiting\nREADY=1"))
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	fmt.Println(http.Serve(listener, http.FileServer(http.Dir(os.Getenv("ROOT")))))
}

// testBench has one contestant, this test binary.
func testBench(t *testing.T, more ...string) *bench {
	dir := t.TempDir()
	s, err := newSite(dir)
	if err != nil {
		t.Fatal(err)
	}
	cpus, err := allowedProcessors()
	if err != nil {
		t.Fatal(err)
	}
	if err := prepareProcess(cpus); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	invoke := func(o order) (invocation, error) {
		return invocation{
			args: append([]string{self, "serve-inherited"}, more...),
			env:  []string{"LISTEN_FDS=" + strconv.Itoa(len(o.sockets)), "ROOT=" + o.site.root},
		}, nil
	}
	return &bench{
		dir: dir, site: s, cpus: processors{server: cpus[:1]}, notes: t.Output(),
		contestants: map[string][]peer{servers: {{name: "test", roles: []string{"http"}, invoke: invoke}}},
	}
}

// The CPU of a relay is that of its server too, and both are ended.
func TestRelayIsMeasuredWithItsServer(t *testing.T) {
	b := testBench(t)
	p := b.contestants[servers][0]
	p.behind, p.relay = &b.contestants[servers][0], func(socket) invoker { return p.invoke }
	s, err := b.startServing(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	behind := s.behind.cmd.Process.Pid
	both, err := s.cpu()
	alone, errAlone := treeCPU(s.cmd.Process.Pid)
	if err != nil || errAlone != nil || both <= alone || s.launched != s.behind.launched {
		t.Errorf("%s with its server, %s without; %v, %v; launched %s and %s", both, alone, err, errAlone, s.launched, s.behind.launched)
	}
	s.end()
	if after, err := processTree(behind); err != nil || len(after) != 0 {
		t.Errorf("the server behind is still there: %v, %v", after, err)
	}
}

// A program that serves one socket is started once for each, and all of them count and are ended.
func TestProgramForOneSocketIsStartedForEach(t *testing.T) {
	b := testBench(t)
	p := b.contestants[servers][0]
	p.roles, p.single = []string{"http", deferred}, true
	s, err := b.startServing(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	beside := s.beside[0].cmd.Process.Pid
	both, err := s.cpu()
	alone, errAlone := treeCPU(s.cmd.Process.Pid)
	if err != nil || errAlone != nil || both <= alone || len(s.beside) != 1 {
		t.Errorf("%s for both, %s for the first; %v, %v", both, alone, err, errAlone)
	}
	s.end()
	if after, err := processTree(beside); err != nil || len(after) != 0 {
		t.Errorf("the second is still there: %v, %v", after, err)
	}
}

func TestStopEndsEveryProcess(t *testing.T) {
	b := testBench(t)
	at, err := listen(t.Context(), "http")
	if err != nil {
		t.Fatal(err)
	}
	s, err := b.start(t.Context(), b.contestants[servers][0], []socket{at}, few)
	if err != nil {
		t.Fatal(err)
	}
	defer s.end()
	if err := b.probe(t.Context(), s, at); err != nil {
		t.Fatal(err, s.lastWords())
	}
	before, err := processTree(s.cmd.Process.Pid)
	if err != nil || len(before) < 2 {
		t.Fatalf("before: %v, %v; want a server and its worker", before, err)
	}
	s.stop()
	if after, err := processTree(s.cmd.Process.Pid); err != nil || len(after) != 0 {
		t.Errorf("after: %v, %v", after, err)
	}
}

func TestProgramThatCannotBeExecuted(t *testing.T) {
	b := testBench(t)
	at, err := listen(t.Context(), "http")
	if err != nil {
		t.Fatal(err)
	}
	defer at.file.Close()
	absent := peer{name: "absent", invoke: func(order) (invocation, error) {
		return invocation{args: []string{"/nonexistent/server"}}, nil
	}}
	s, err := b.start(t.Context(), absent, []socket{at}, few)
	if err != nil {
		t.Fatal(err)
	}
	defer s.stop()
	if err := b.probe(t.Context(), s, at); err == nil || !strings.Contains(err.Error()+s.lastWords(), "/nonexistent/server") {
		t.Errorf("error %v%s", err, s.lastWords())
	}
}

func TestNginxConfigurationNamesTLSOnlyWhereItIsUsed(t *testing.T) {
	b := testBench(t)
	for role, wanted := range map[string]bool{"http": false, "https": true} {
		at, err := listen(t.Context(), role)
		if err != nil {
			t.Fatal(err)
		}
		defer at.file.Close()
		dir := t.TempDir()
		what, err := invokeNginx(program{path: "nginx"})(order{site: b.site, sockets: []socket{at}, workers: 1, connections: few, dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		config, err := os.ReadFile(dir + "/nginx.conf")
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(config), "ssl_certificate"); got != wanted {
			t.Errorf("%s: certificate %v", role, got)
		}
		if !strings.Contains(string(config), "listen "+at.address()) || what.env[0] != "NGINX=3;" {
			t.Errorf("%s: %v\n%s", role, what.env, config)
		}
	}
}

// Each way to the smallest server works, and to a process for each connection.
func TestNewConnections(t *testing.T) {
	if err := canIsolate(); err != nil {
		t.Skip(err)
	}
	b := testBench(t)
	us, err := findRouse(t.Context(), "", t.TempDir(), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	all, err := ourDispatchers(us)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("gcc"); err == nil {
		more, _, err := ourSuperservers(t.Context(), us, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, more...)
	} else {
		t.Log("no gcc to compile what a process for each connection needs")
	}
	err = isolated(func() error {
		for _, p := range all {
			s, err := b.startServing(t.Context(), p)
			if err != nil {
				t.Error(err)
				continue
			}
			r, err := connectAgain(t.Context(), s.socket(answers), 4, 50*time.Millisecond)
			if err != nil || r.requests == 0 || r.lost != 0 {
				t.Errorf("%s: %+v, %v%s", p.name, r, err, s.lastWords())
			}
			s.end()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
