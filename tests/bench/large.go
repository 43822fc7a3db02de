package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// rampUp is how long large replies run before they count: megabytes are on their way between a server and a client that reads, and
// they must be as many at the end as at the beginning.
const rampUp = 300 * time.Millisecond

// readSteadily reads a large page again and again over some connections, and counts the bytes of a time, and by used what the server
// used meanwhile. A request counts for as many MiB as came.
func readSteadily(ctx context.Context, at socket, w workload, length time.Duration, used func() (time.Duration, error)) (loadResult, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var read atomic.Int64
	faults := make(chan error, w.clients)
	var group sync.WaitGroup
	for range w.clients {
		group.Go(func() {
			if err := readAgain(ctx, at, w.path, &read); err != nil && ctx.Err() == nil {
				faults <- err
			}
		})
	}
	wait := func(length time.Duration) (bytes int64, cpu time.Duration, err error) {
		select {
		case <-time.After(length):
		case err := <-faults:
			return 0, 0, err
		case <-ctx.Done():
			return 0, 0, ctx.Err()
		}
		cpu, err = used()
		return read.Load(), cpu, err
	}
	bytesBefore, before, err := wait(rampUp)
	if err != nil {
		return loadResult{}, err
	}
	began := monotonic()
	bytesAfter, after, err := wait(length)
	took := monotonic() - began
	cancel()
	group.Wait()
	r := loadResult{bytes: bytesAfter - bytesBefore, server: after - before}
	r.requests = r.bytes >> 20
	r.rate = float64(r.bytes) / (1 << 20) / took.Seconds()
	return r, err
}

// readAgain reads one large page after another over one connection, and adds up their bytes, until ctx is done.
func readAgain(ctx context.Context, at socket, path string, read *atomic.Int64) error {
	dialer := net.Dialer{Timeout: patience}
	conn, err := dialer.DialContext(ctx, "tcp", at.address())
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if at.scheme() == "https" {
		conn = tls.Client(conn, clientTLS())
	}
	reader, buffer := bufio.NewReaderSize(conn, 64<<10), make([]byte, 256<<10)
	for ctx.Err() == nil {
		if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path); err != nil {
			return err
		}
		got, err := http.ReadResponse(reader, nil)
		if err != nil {
			return fmt.Errorf("reading the reply: %w", err)
		}
		if got.StatusCode != http.StatusOK {
			return fmt.Errorf("status %s", got.Status)
		}
		for {
			n, err := got.Body.Read(buffer)
			read.Add(int64(n))
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return fmt.Errorf("reading the body: %w", err)
			}
		}
	}
	return nil
}
