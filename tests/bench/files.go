package main

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"
)

// wrkPaths is the script by which wrk asks for the paths of a list, one after another.
//
//go:embed paths.lua
var wrkPaths string

// The seed of everything that is drawn by lot: every run asks for the same.
const (
	filesSeed   = 20_000
	listedFiles = 100_000 // requests in a list
)

// smallFile is the path of the n-th small file; a thousand are in a folder.
func smallFile(n int) string { return fmt.Sprintf("/files/%03d/%06d.html", n/1000, n) }

// smallFiles sees that the site has that many small files of 1 to 10 KiB.
func (s *site) smallFiles(count int) error {
	for n := s.small; n < count; n++ {
		if n%1000 == 0 {
			if err := os.MkdirAll(filepath.Join(s.root, filepath.Dir(smallFile(n))), 0o755); err != nil {
				return fmt.Errorf("making the site: %w", err)
			}
		}
		size := 1024 + rand.New(rand.NewPCG(filesSeed, uint64(n))).IntN(9*1024+1)
		if err := os.WriteFile(filepath.Join(s.root, smallFile(n)), page(size), 0o644); err != nil {
			return fmt.Errorf("making the site: %w", err)
		}
		s.small = n + 1
	}
	return nil
}

// popular draws requests for files by Zipf's law: the second most popular file is asked for half as often as the first, the third a
// third as often. Which files are popular is drawn too.
func popular(files, requests int) []int {
	random := rand.New(rand.NewPCG(filesSeed, uint64(files)))
	upTo := make([]float64, files) // the popularity of all files up to this rank
	sum := 0.0
	for rank := range upTo {
		sum += 1 / float64(rank+1)
		upTo[rank] = sum
	}
	byRank := random.Perm(files)
	drawn := make([]int, requests)
	for i := range drawn {
		drawn[i] = byRank[min(sort.SearchFloat64s(upTo, random.Float64()*sum), files-1)]
	}
	return drawn
}

// pathScript writes the script for wrk and its list of paths, once, and returns the script's path.
func (b *bench) pathScript(files int) (string, error) {
	list := filepath.Join(b.dir, fmt.Sprintf("paths-%d.txt", files))
	script := filepath.Join(b.dir, fmt.Sprintf("paths-%d.lua", files))
	if _, err := os.Stat(script); err == nil {
		return script, nil
	}
	var text strings.Builder
	for _, n := range popular(files, listedFiles) {
		fmt.Fprintln(&text, smallFile(n))
	}
	err := os.WriteFile(list, []byte(text.String()), 0o644)
	if err == nil {
		err = os.WriteFile(script, []byte(strings.ReplaceAll(wrkPaths, "@LIST@", list)), 0o644)
	}
	if err != nil {
		return "", fmt.Errorf("writing wrk's script: %w", err)
	}
	return script, nil
}

// prepareFiles asks a server for all files that a workload will ask it for, twice: some keep only what was asked for again.
func (b *bench) prepareFiles(ctx context.Context, s *server, w workload) (workload, error) {
	if err := b.site.smallFiles(w.files); err != nil {
		return w, err
	}
	script, err := b.pathScript(w.files)
	if err != nil {
		return w, err
	}
	w.path = "/"
	w.arguments = append(slices.Clone(w.arguments), "-s", script)
	if err := b.quota.release(s); err != nil { // nothing is measured meanwhile
		return w, err
	}
	wanted := slices.Compact(slices.Sorted(slices.Values(popular(w.files, listedFiles))))
	for range 2 {
		if r := askForEach(ctx, s.socketFor(w), wanted, 16); r.faults != "" {
			return w, errors.New(r.faults)
		}
	}
	return w, b.quota.hold(s)
}

// measureFirstRequests starts every contestant anew in each round, and asks it for every file once.
func (b *bench) measureFirstRequests(ctx context.Context, workloads []workload, out io.Writer) ([]row, error) {
	var rows []row
	for _, w := range workloads {
		if err := b.site.smallFiles(w.files); err != nil {
			return rows, err
		}
		contestants := b.taking(w)
		fmt.Fprintf(b.notes, "measuring %s: servers %d, rounds %d\n", w.name, len(contestants), b.rounds)
		r := newRow(w, contestants)
		b.firstOnce(ctx, contestants[reference], w) // brings the files into the page cache
		err := r.interleave(ctx, b.rounds, func(i int) sample { return b.firstOnce(ctx, contestants[i], w) })
		if err != nil {
			return rows, err
		}
		printRow(out, r, b.measuredBy(w))
		rows = append(rows, r)
	}
	return rows, nil
}

// firstOnce is a round of one server: what it used until it answered a first request for another page does not count.
func (b *bench) firstOnce(ctx context.Context, p peer, w workload) sample {
	p.roles = []string{w.role}
	s, err := b.startServing(ctx, p)
	if err != nil {
		return sample{fault: err.Error()}
	}
	defer s.end()
	if err := b.quota.hold(s); err != nil {
		return sample{fault: err.Error()}
	}
	before, err := s.cpu()
	if err != nil {
		return sample{fault: err.Error() + s.lastWords()}
	}
	r := askForEach(ctx, s.socket(w.role), rand.New(rand.NewPCG(filesSeed, 1)).Perm(w.files), w.clients)
	after, err := s.cpu()
	if err != nil {
		return sample{fault: err.Error() + s.lastWords()}
	}
	r.server = after - before
	return loadSample(r, w, 1024)
}

// askForEach asks for small files, each once, over so many kept-alive connections.
func askForEach(ctx context.Context, at socket, files []int, clients int) loadResult {
	results := make([]loadResult, clients)
	times := make([][]time.Duration, clients)
	began := time.Now()
	var group sync.WaitGroup
	for i := range clients {
		group.Go(func() {
			own := files[len(files)*i/clients : len(files)*(i+1)/clients]
			var err error
			if times[i], results[i].bytes, err = askFor(ctx, at, own); err != nil {
				results[i].faults = err.Error()
			}
		})
	}
	group.Wait()
	var all loadResult
	for _, r := range results {
		all.bytes += r.bytes
		if all.faults == "" {
			all.faults = r.faults
		}
	}
	took := slices.Concat(times...)
	slices.Sort(took)
	all.requests = int64(len(took))
	all.rate = float64(all.requests) / time.Since(began).Seconds()
	if len(took) > 0 {
		all.p50, all.p99 = took[len(took)/2], took[len(took)*99/100]
	}
	return all
}

// askFor asks for some files over one connection.
func askFor(ctx context.Context, at socket, files []int) (took []time.Duration, bytes int64, err error) {
	if len(files) == 0 {
		return nil, 0, nil
	}
	dialer := net.Dialer{Timeout: patience}
	conn, err := dialer.DialContext(ctx, "tcp", at.address())
	if err != nil {
		return nil, 0, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	reader := bufio.NewReaderSize(conn, 16<<10)
	for _, n := range files {
		began := time.Now()
		size, err := askForOne(ctx, conn, reader, smallFile(n))
		if err != nil {
			return took, bytes, fmt.Errorf("%s: %w", smallFile(n), err)
		}
		bytes += size
		took = append(took, time.Since(began))
	}
	return took, bytes, nil
}

// askForOne asks until the file comes. lighttpd keeps files open for some seconds, and says 403 of more than its descriptors allow.
func askForOne(ctx context.Context, conn net.Conn, reader *bufio.Reader, path string) (size int64, err error) {
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return 0, err
	}
	status := ""
	for began := time.Now(); time.Since(began) < patience && ctx.Err() == nil; time.Sleep(100 * time.Millisecond) {
		if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path); err != nil {
			return 0, err
		}
		got, err := http.ReadResponse(reader, nil)
		if err != nil {
			return 0, fmt.Errorf("reading the reply: %w", err)
		}
		size, err = io.Copy(io.Discard, got.Body)
		got.Body.Close()
		if err != nil || got.StatusCode == http.StatusOK {
			return size, err
		}
		status = got.Status
	}
	return 0, fmt.Errorf("status %s", status)
}
