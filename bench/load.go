package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// clients is how many submit at once, each its next task when the last is accepted.
const clients = 32

// pace is the load, in tasks a second, under which a system is all but idle.
const pace = 200

// system is a task queue with what serves it and its workers, for one load of
// tasks that are numbered from 0.
type system interface {
	// open makes an empty store below dir and starts what serves it.
	open(ctx context.Context, dir string) error
	// submit submits task i. When it returns the task is stored, as durably as the
	// system stores tasks. Up to clients calls run at once.
	submit(ctx context.Context, i int) error
	// work starts the workers, and says since when they work.
	work(ctx context.Context) (time.Time, error)
	// wait returns when every task was worked and the store has it as finished.
	wait(ctx context.Context) error
	// finished says when each task was worked, after wait.
	finished(ctx context.Context) ([]time.Time, error)
	// servers are the processes that serve it.
	servers() []*process
	// close stops everything, whatever open has come to.
	close() error
}

// measure puts a system under all loads, each on an empty store below dir.
func measure(ctx context.Context, newSystem func(n int) system, n int, dir string) (result, error) {
	var r result
	few := max(n/10, min(n, 50))
	for _, load := range []struct {
		name string
		n    int
		run  func(context.Context, system, int, *result) error
	}{
		{"steady", n, steady}, // first, while this process has no memory of another load
		{"drain", n, drain},
		{"paced", few, paced},
	} {
		if err := runLoad(ctx, newSystem(load.n), filepath.Join(dir, load.name), func(s system) error { return load.run(ctx, s, load.n, &r) }); err != nil {
			return r, fmt.Errorf("%s: %w", load.name, err)
		}
	}
	return r, nil
}

func runLoad(ctx context.Context, s system, dir string, load func(system) error) (err error) {
	// Servers that run as another user have to get in.
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	defer func() {
		if e := s.close(); err == nil {
			err = e
		}
	}()
	if err := s.open(ctx, dir); err != nil {
		return fmt.Errorf("open: %w", err)
	}
	return load(s)
}

// steady submits tasks as fast as the clients can while they are worked. Where
// tasks are taken in faster than they are worked, their latency is that of the
// queue that has formed, and grows with n.
func steady(ctx context.Context, s system, n int, r *result) error {
	if _, err := s.work(ctx); err != nil {
		return err
	}
	before, err := readUsage(s.servers())
	if err != nil {
		return err
	}
	stop := watchMemory(s.servers())
	start := time.Now()
	sent, err := submitAll(ctx, s, n)
	if err == nil {
		err = s.wait(ctx)
	}
	took := time.Since(start)
	memory := stop()
	if err != nil {
		return err
	}
	after, err := readUsage(s.servers())
	if err != nil {
		return err
	}
	r.Steady = float64(n) / took.Seconds()
	r.ServersCPU = (after.servers - before.servers).Seconds() / float64(n)
	r.DriverCPU = (after.driver - before.driver).Seconds() / float64(n)
	r.ServersMemory, r.DriverMemory = memory.servers, memory.driver
	r.FullP50, r.FullP99, err = latency(ctx, s, sent)
	return err
}

// drain submits all tasks while nothing is worked, then starts the workers.
func drain(ctx context.Context, s system, n int, r *result) error {
	start := time.Now()
	if _, err := submitAll(ctx, s, n); err != nil {
		return err
	}
	r.Enqueue = float64(n) / time.Since(start).Seconds()
	start, err := s.work(ctx)
	if err != nil {
		return err
	}
	if err := s.wait(ctx); err != nil {
		return err
	}
	r.Drain = float64(n) / time.Since(start).Seconds()
	return nil
}

// paced submits tasks at an even pace while they are worked.
func paced(ctx context.Context, s system, n int, r *result) error {
	if _, err := s.work(ctx); err != nil {
		return err
	}
	sent := make([]time.Time, n)
	all, ctx := errgroup.WithContext(ctx)
	tick := time.NewTicker(time.Second / pace)
	defer tick.Stop()
	for i := range n {
		<-tick.C
		all.Go(func() error {
			sent[i] = time.Now()
			return s.submit(ctx, i)
		})
	}
	if err := all.Wait(); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx) // Wait has cancelled it
	if err := s.wait(ctx); err != nil {
		return err
	}
	var err error
	r.PacedP50, r.PacedP99, err = latency(ctx, s, sent)
	return err
}

// submitAll submits n tasks from all clients, and says when each began to be.
func submitAll(ctx context.Context, s system, n int) ([]time.Time, error) {
	sent := make([]time.Time, n)
	var next atomic.Int64
	all, ctx := errgroup.WithContext(ctx)
	for range clients {
		all.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return nil
				}
				sent[i] = time.Now()
				if err := s.submit(ctx, i); err != nil {
					return fmt.Errorf("submit: %w", err)
				}
			}
		})
	}
	return sent, all.Wait()
}

// latency returns percentiles, in seconds, of the time from before a task's
// submission until it was worked.
func latency(ctx context.Context, s system, sent []time.Time) (p50, p99 float64, err error) {
	finished, err := s.finished(ctx)
	if err != nil {
		return 0, 0, err
	}
	took := make([]float64, len(sent))
	for i := range sent {
		took[i] = finished[i].Sub(sent[i]).Seconds()
	}
	slices.Sort(took)
	return percentile(took, 50), percentile(took, 99), nil
}

// percentile returns the least of the sorted values that p percent are not above.
func percentile(sorted []float64, p int) float64 {
	return sorted[(len(sorted)*p+99)/100-1]
}

// noop is the worker of a peer. It does nothing, and notes when it was first
// given each task.
type noop struct {
	seen []atomic.Bool
	at   []time.Time
	left atomic.Int64
	all  chan struct{}
}

func newNoop(n int) *noop {
	w := &noop{seen: make([]atomic.Bool, n), at: make([]time.Time, n), all: make(chan struct{})}
	w.left.Store(int64(n))
	return w
}

func (w *noop) run(i int) {
	if w.seen[i].Swap(true) {
		return // a queue may deliver twice
	}
	w.at[i] = time.Now()
	if w.left.Add(-1) == 0 {
		close(w.all)
	}
}

// wait returns when every task was worked, and then unfinished, which counts
// those that the store doesn't have as finished, finds none.
func (w *noop) wait(ctx context.Context, unfinished func(context.Context) (int, error)) error {
	select {
	case <-w.all:
	case <-ctx.Done():
		return fmt.Errorf("%d tasks were not worked: %w", w.left.Load(), context.Cause(ctx))
	}
	return poll(ctx, func() (bool, error) {
		n, err := unfinished(ctx)
		return n == 0, err
	})
}

func (w *noop) finished(context.Context) ([]time.Time, error) { return w.at, nil }

// poll asks every 10 ms until done is.
func poll(ctx context.Context, done func() (bool, error)) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
