package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"tasks/internal/task"
	"tasks/internal/task/tasktest"
)

// inUse is what a process holds in memory.
type inUse struct {
	heap, stacks, goroutines, resident int
}

func measure() inUse {
	runtime.GC()
	runtime.GC() // what the first one finalized, and pools
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return inUse{heap: int(m.HeapAlloc) - len(ballast), stacks: int(m.StackInuse), goroutines: runtime.NumGoroutine(), resident: resident()}
}

// resident returns the resident set, in bytes, and 0 where there is no /proc.
func resident() int {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, pages int
	if _, err := fmt.Sscan(string(b), &size, &pages); err != nil {
		return 0
	}
	return pages * os.Getpagesize()
}

// BenchmarkWaiting measures what an execution costs that waits for a retry, and
// how long a host takes to serve that finds so many of them.
//
//	go test ./internal/host -run '^$' -bench Waiting -benchtime 100000x
func BenchmarkWaiting(b *testing.B) {
	path := filepath.Join(b.TempDir(), "tasks.db")
	start := func() (h *Host, ready time.Duration, stop func()) {
		began := time.Now()
		h, err := New(Config{
			Database: path,
			Log:      slog.New(slog.NewTextHandler(io.Discard, nil)),
			Worker:   workerFunc(func(context.Context, task.Task) error { return errors.New("no") }),
		})
		if err != nil {
			b.Fatal(err)
		}
		if err := retryBy(h, task.RetryPolicy{MaxAttempts: 2, IntervalSeconds: 900, BackoffRate: 2, MaxDelaySeconds: 900}); err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		served := make(chan error, 1)
		listener := newAccepting()
		go func() { served <- h.Serve(ctx, listener) }()
		<-listener.accepting
		return h, time.Since(began), func() {
			cancel()
			if err := <-served; err != nil {
				b.Error(err)
			}
		}
	}
	h, _, stop := start()
	before := measure()
	var clients sync.WaitGroup
	for c := range 64 {
		clients.Go(func() {
			for i := c; i < b.N; i += 64 {
				id, err := task.NewID()
				if err == nil {
					err = tasktest.Create(b.Context(), h.db, task.New(id, "forty-two", time.Now()))
				}
				if err != nil {
					b.Error(err)
				}
			}
		})
	}
	clients.Wait()
	allWait := func(h *Host) {
		for tick := time.NewTicker(10 * time.Millisecond); ; <-tick.C {
			if timers, live, _ := h.waiting(); timers == b.N && live == 0 {
				return
			}
		}
	}
	allWait(h)
	after := measure()
	per := func(m, than inUse, suffix string) {
		b.ReportMetric(float64(m.heap-than.heap)/float64(b.N), "heap-B/execution"+suffix)
		b.ReportMetric(float64(m.stacks-than.stacks)/float64(b.N), "stack-B/execution"+suffix)
		b.ReportMetric(float64(m.goroutines-than.goroutines)/float64(b.N), "goroutines/execution"+suffix)
		b.ReportMetric(float64(m.resident)/(1<<20), "resident-MB"+suffix)
	}
	per(after, before, "")
	stop()
	began := time.Now()
	h, ready, stop := start()
	allWait(h)
	b.ReportMetric(time.Since(began).Seconds(), "s-to-resume")
	per(measure(), before, "-restarted")
	b.ReportMetric(ready.Seconds(), "s-to-serve")
	stop()
}

// accepting is a listener that accepts nothing and tells when it is asked to.
type accepting struct {
	idleListener
	accepting chan struct{}
	asked     sync.Once
}

func newAccepting() *accepting {
	return &accepting{idleListener: idleListener{closed: make(chan struct{})}, accepting: make(chan struct{})}
}

func (l *accepting) Accept() (net.Conn, error) {
	l.asked.Do(func() { close(l.accepting) })
	return l.idleListener.Accept()
}
