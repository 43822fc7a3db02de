package servers

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// visit is what one client does at an instance. Its connections end after a time.
type visit struct {
	*instance
	seen map[string]net.Addr
}

// ask has a client ask and checks the answer. A client that came too early for the server tries again.
func (i *instance) ask() error { return i.try(i.client) }

func (i *instance) try(client func(*visit) error) error {
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		v := &visit{i, map[string]net.Addr{}}
		err := client(v)
		if err == nil {
			i.mu.Lock()
			i.visitors = v.seen
			i.mu.Unlock()
			return nil
		}
		if i.early == "" || !strings.Contains(err.Error(), i.early) || time.Now().After(end) {
			return err
		}
	}
}

// check holds that an answer has the word of the instance.
func (v *visit) check(answer string) error {
	if strings.Contains(answer, v.word) {
		return nil
	}
	return fmt.Errorf("the answer is %q, want %q in it", answer, v.word)
}

// dial connects to a socket of the instance.
func (v *visit) dial(name string) (net.Conn, error) {
	var s socket
	for _, one := range v.sockets {
		if one.name == name {
			s = one
		}
	}
	limit := patience
	dialer := net.Dialer{Timeout: limit, LocalAddr: &net.TCPAddr{IP: net.ParseIP(addressClient)}}
	if s.network == "udp4" {
		limit = 5 * time.Second // an answer that has not come then will not come
		dialer.LocalAddr = &net.UDPAddr{IP: net.ParseIP(addressClient)}
	}
	c, err := dialer.Dial(s.network, net.JoinHostPort(v.address, strconv.Itoa(s.port)))
	if err != nil {
		return nil, err
	}
	v.seen[name] = c.LocalAddr()
	return c, c.SetDeadline(time.Now().Add(limit))
}

// get asks for target over HTTP and returns the body.
func (v *visit) get(target string) (body string, c net.Conn, err error) {
	c, err = v.dial("web")
	if err != nil {
		return "", nil, err
	}
	defer c.Close()
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: drill\r\nConnection: close\r\n\r\n", target); err != nil {
		return "", c, err
	}
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return "", c, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s", response.Status, text)
	}
	return string(text), c, err
}

// page is the client of a web server that answers with the word.
func page(v *visit) error { return pageAt("/")(v) }

func pageAt(target string) func(*visit) error {
	return func(v *visit) error {
		body, _, err := v.get(v.fill(target))
		if err != nil && body == "" {
			return err
		}
		return v.check(body)
	}
}

// truthful is the client of a web server that also answers with the address that it sees a client come from, and, where it
// knows it, the one that it came to.
func truthful(v *visit) error {
	body, c, err := v.get("/")
	if err != nil {
		return err
	}
	if err := v.check(body); err != nil {
		return err
	}
	for label, address := range map[string]net.Addr{"peer=": c.LocalAddr(), "server=": c.RemoteAddr()} {
		host, port, _ := net.SplitHostPort(address.String())
		if strings.Contains(body, label) && !strings.Contains(body, label+host+" "+port) {
			return fmt.Errorf("the server says %q, but %s%s %s is true", body, label, host, port)
		}
	}
	return nil
}

// servePages is an HTTP server that says whom it is asked for: this test binary, when it is started as one.
func servePages(address string) {
	err := http.ListenAndServe(address, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "path=%s", r.URL.Path)
	}))
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// load is some clients that ask without end.
type load struct {
	answered atomic.Int64
	over     chan struct{}
	done     sync.WaitGroup

	mu     sync.Mutex
	failed []error
}

// startLoad starts clients at the instance, and returns when some have been answered.
func (i *instance) startLoad() (*load, error) {
	client := i.load
	if client == nil {
		client = i.client
	}
	l := &load{over: make(chan struct{})}
	for range clients {
		l.done.Go(func() { l.run(i, client) })
	}
	if err := l.wait(clients); err != nil {
		l.stop()
		return nil, err
	}
	return l, nil
}

func (l *load) run(i *instance, client func(*visit) error) {
	for {
		select {
		case <-l.over:
			return
		default:
		}
		if err := i.try(client); err != nil {
			l.mu.Lock()
			l.failed = append(l.failed, err)
			l.mu.Unlock()
			continue
		}
		l.answered.Add(1)
	}
}

// wait waits for so many answers more.
func (l *load) wait(n int64) error {
	want := l.answered.Load() + n
	if err := wait("the clients are not answered", patience, func() bool { return l.answered.Load() >= want }); err != nil {
		return errors.Join(err, l.first())
	}
	return nil
}

// finish waits until clients are answered again and ends them.
func (l *load) finish() error {
	defer l.stop()
	return l.wait(enough)
}

// stop ends the clients; what they have asked is still answered.
func (l *load) stop() {
	close(l.over)
	l.done.Wait()
}

func (l *load) lost() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.failed)
}

func (l *load) requests() int { return l.lost() + int(l.answered.Load()) }

// first is why the first request failed.
func (l *load) first() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.failed) == 0 {
		return nil
	}
	return l.failed[0]
}

// refused tells whether a client could not even connect.
func (l *load) refused() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Is(errors.Join(l.failed...), unix.ECONNREFUSED)
}
