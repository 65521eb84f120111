package host

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/google/uuid"

	"tasks/internal/task"
)

var overloadFor = flag.Duration("overload", 0, "how long TestOverload takes tasks in, at full speed")

// Bounds of a host under overload, which do not depend on its speed.
const (
	// maxGoroutines are of a host with every slot taken: a few for each task
	// that runs, the timers that are handled, connections.
	maxGoroutines = 4*concurrency + maxFired + 200
	// maxWaitingBytes is what a task that waits may take in memory, with its
	// place in the cache of rows. Once that is full it takes a tenth.
	maxWaitingBytes = 2 << 10
)

// TestOverload takes in more than the workers can do, and then looks at what
// became of each task that was accepted. It runs by itself, because it measures
// the process. With a flag it takes long and prints what it measures:
//
//	go test ./internal/host -run TestOverload -overload 5m -timeout 0 -v
func TestOverload(t *testing.T) {
	o := &overload{t: t, limit: 2 * concurrency, clients: 16, release: make(chan struct{}), latency: newLatencies()}
	if *overloadFor > 0 {
		o.limit, o.clients = DefaultMaxBacklog, 32
		TuneGC()
	}
	stop := o.serve()
	defer stop()

	// First as many as run at once, with their answers; then those that wait.
	o.host.front.backlog.max = concurrency + 100
	o.takeIn(o.full)
	running, before := o.host.db.Backlog(), measure()
	o.host.front.backlog.max = o.limit
	began := time.Now()
	if *overloadFor > 0 {
		o.takeIn(func() { o.report(began, *overloadFor) })
	} else {
		o.takeIn(o.full)
	}
	backlog, after := o.host.db.Backlog(), measure()
	perTask := (after.heap - before.heap) / (backlog - running)
	t.Logf("took in %d tasks, refused %d requests; %d bytes of heap for each task that waits, %d goroutines",
		len(o.accepted), o.refused.Load(), perTask, after.goroutines)
	if backlog > o.limit {
		t.Errorf("got a backlog of %d, want %d at most", backlog, o.limit)
	}
	if after.goroutines > maxGoroutines {
		t.Errorf("got %d goroutines, want %d at most", after.goroutines, maxGoroutines)
	}
	if perTask > maxWaitingBytes {
		t.Errorf("got %d bytes of heap for each task that waits, want %d at most", perTask, maxWaitingBytes)
	}

	began = time.Now()
	close(o.release)
	if *overloadFor > 0 {
		o.report(began, time.Hour)
	}
	o.until("the backlog is done", func() bool { return o.host.db.Backlog() == 0 })
	o.check()
}

// overload is a host that is overloaded, and its clients.
type overload struct {
	t       *testing.T
	limit   int
	clients int
	release chan struct{} // closed: the worker is no longer slow

	host *Host
	url  string
	wal  string // the path of the file's log

	refused  atomic.Int64
	mu       sync.Mutex
	accepted []uuid.UUID
	latency  *hdrhistogram.Histogram // of the accepted, in µs
}

func newLatencies() *hdrhistogram.Histogram { return hdrhistogram.New(1, 60_000_000, 3) }

// serve starts the host. Its worker takes 10 s and fails one time in ten,
// until it is released; then it takes no time.
func (o *overload) serve() (stop func()) {
	o.t.Helper()
	path := filepath.Join(o.t.TempDir(), "tasks.db")
	o.wal = path + "-wal"
	var runs atomic.Int64
	worker := workerFunc(func(ctx context.Context, _ task.Task) error {
		select {
		case <-o.release:
		case <-time.After(10 * time.Second):
			if *overloadFor == 0 { // nothing is done before the backlog is full
				<-o.release
			}
		case <-ctx.Done():
			return ctx.Err()
		}
		if runs.Add(1)%10 == 0 {
			return task.Permanent(fmt.Errorf("no"))
		}
		return nil
	})
	var err error
	o.host, err = New(Config{Database: path, Worker: worker, MaxBacklog: o.limit, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		o.t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		o.t.Fatal(err)
	}
	o.url = "http://" + listener.Addr().String() + "/local/tasks"
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- o.host.Serve(ctx, listener) }()
	return func() {
		cancel()
		if err := <-served; err != nil {
			o.t.Errorf("Serve: %v", err)
		}
	}
}

// takeIn has the clients submit tasks at full speed while f runs.
func (o *overload) takeIn(f func()) {
	var clients sync.WaitGroup
	intake, end := context.WithCancel(o.t.Context())
	for range o.clients {
		clients.Go(func() { o.submit(intake) })
	}
	defer clients.Wait()
	defer end()
	f()
}

// full waits until the backlog is full and nobody gets anything in.
func (o *overload) full() {
	o.refused.Store(0)
	o.until("the backlog is full", func() bool { return o.refused.Load() > 2*int64(o.clients) })
}

// submit submits tasks of 4 KiB until ctx ends.
func (o *overload) submit(ctx context.Context) {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	body := []byte(`{"answer":"` + strings.Repeat("x", 4<<10) + `"}`)
	for ctx.Err() == nil {
		began := time.Now()
		resp, err := client.Post(o.url, "application/json", bytes.NewReader(body))
		if err != nil {
			o.t.Error(err)
			return
		}
		var got struct{ TaskID task.ID }
		err = json.NewDecoder(resp.Body).Decode(&got)
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		switch {
		case err != nil:
			o.t.Errorf("got %s: %v", resp.Status, err)
			return
		case resp.StatusCode == http.StatusAccepted:
			id := uuid.MustParse(string(got.TaskID))
			o.mu.Lock()
			o.accepted = append(o.accepted, id)
			o.latency.RecordValue(time.Since(began).Microseconds())
			o.mu.Unlock()
		case resp.StatusCode == http.StatusTooManyRequests && resp.Header.Get("Retry-After") != "":
			o.refused.Add(1)
			select {
			case <-time.After(100 * time.Millisecond):
			case <-ctx.Done():
			}
		default:
			o.t.Errorf("got %s, want 202 or 429", resp.Status)
			return
		}
	}
}

// until waits until something is so, which it looks at all the time.
func (o *overload) until(what string, so func() bool) {
	o.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for tick := time.NewTicker(5 * time.Millisecond); !so(); <-tick.C {
		if o.t.Failed() || time.Now().After(deadline) {
			o.t.Fatalf("waited in vain until %s; the backlog is %d", what, o.host.db.Backlog())
		}
	}
}

// report prints every 10 s what the host does and takes, for so long or until it
// has nothing left to do.
func (o *overload) report(began time.Time, d time.Duration) {
	fmt.Println("   time  accepted/s  refused/s   p50 ms   p99 ms   backlog     queue   done/s  heap MB   RSS MB   WAL MB  goroutines")
	const every = 10
	tick := time.NewTicker(every * time.Second)
	defer tick.Stop()
	accepted, refused, backlog, _ := o.counts()
	for {
		<-tick.C
		acceptedNow, refusedNow, backlogNow, latency := o.counts()
		m := measure()
		var wal int64
		if info, err := os.Stat(o.wal); err == nil {
			wal = info.Size()
		}
		ms := func(percentile float64) float64 { return float64(latency.ValueAtPercentile(percentile)) / 1000 }
		fmt.Printf("%7s %11d %10d %8.1f %8.1f %9d %9d %8d %8d %8d %8d %11d\n", time.Since(began).Round(time.Second),
			(acceptedNow-accepted)/every, (refusedNow-refused)/every, ms(50), ms(99), backlogNow, o.host.db.Queue().Len(),
			(acceptedNow-accepted-backlogNow+backlog)/every, m.heap>>20, m.resident>>20, wal>>20, m.goroutines)
		accepted, refused, backlog = acceptedNow, refusedNow, backlogNow
		if backlog == 0 || time.Since(began) > d {
			return
		}
	}
}

// counts returns what has been counted, and the latencies since the last call.
func (o *overload) counts() (accepted, refused, backlog int, latency *hdrhistogram.Histogram) {
	o.mu.Lock()
	defer o.mu.Unlock()
	latency, o.latency = o.latency, newLatencies()
	return len(o.accepted), int(o.refused.Load()), o.host.db.Backlog(), latency
}

// check fails the test unless exactly the accepted tasks are there, and final.
func (o *overload) check() {
	o.t.Helper()
	missing := map[uuid.UUID]bool{}
	for _, id := range o.accepted {
		missing[id] = true
	}
	if len(missing) != len(o.accepted) {
		o.t.Errorf("%d tasks were accepted under %d ids", len(o.accepted), len(missing))
	}
	final := map[task.Status]int{}
	for q := (task.Query{Limit: task.MaxPageTasks}); ; {
		page, err := o.host.db.List(context.Background(), q)
		if err != nil {
			o.t.Fatal(err)
		}
		for _, listed := range page.Tasks {
			id := uuid.MustParse(string(listed.ID))
			if !missing[id] {
				o.t.Errorf("task %s was not accepted", id)
			}
			delete(missing, id)
			final[listed.Status]++
			if listed.Status.Open() || listed.Status == task.DLQ && listed.ErrorMessage == "" {
				o.t.Errorf("task %s ends %s, %q", id, listed.Status, listed.ErrorMessage)
			}
		}
		if q.Before = page.Next; q.Before == "" {
			break
		}
	}
	if len(missing) > 0 {
		o.t.Errorf("%d tasks were accepted and are lost", len(missing))
	}
	o.t.Logf("ended as %v", final)
}
