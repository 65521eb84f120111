package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"tasks/internal/api"
	"tasks/internal/client"
	"tasks/internal/task"
)

// submission is what became of the requests of a load.
type submission struct {
	mu       sync.Mutex
	accepted []task.ID
	refused  map[string]int // by the answer's status and title
	// unreachable counts requests that were not sent, and unanswered those that
	// may have been accepted.
	unreachable, unanswered int
	putOff                  int                     // how often a request was put off, and sent again
	latency                 *hdrhistogram.Histogram // of the accepted, in µs
	elapsed                 time.Duration
}

// submitAll submits o.tasks tasks from o.clients clients, or as many as it can
// until ctx ends. It calls done after each.
func submitAll(ctx context.Context, cl *client.Client, o loadOptions, done func()) *submission {
	s := &submission{refused: map[string]int{}, latency: newLatency()}
	start := time.Now()
	var sent atomic.Int64
	var clients sync.WaitGroup
	for range o.clients {
		clients.Go(func() {
			for ctx.Err() == nil {
				i := int(sent.Add(1))
				if i > o.tasks {
					return
				}
				s.submit(ctx, cl, loadAnswer(i, o.answerBytes))
				done()
			}
		})
	}
	clients.Wait()
	s.elapsed = time.Since(start)
	return s
}

// submit submits one task and counts what came of it.
func (s *submission) submit(ctx context.Context, cl *client.Client, answer string) {
	var latency time.Duration // of the last try
	accepted, err := insistently(ctx, func() (api.Accepted, error) {
		start := time.Now()
		accepted, err := cl.Submit(ctx, client.Submission{Answer: answer})
		latency = time.Since(start)
		return accepted, err
	}, func(error, time.Duration) {
		s.mu.Lock()
		s.putOff++
		s.mu.Unlock()
	})
	if s.count(accepted.TaskID, latency, err) {
		// Not at once: the tasks would be used up while the server restarts.
		_ = pause(ctx, 250*time.Millisecond)
	}
}

// count counts a request. It tells whether there was no server.
func (s *submission) count(id task.ID, latency time.Duration, err error) (unreachable bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.accepted = append(s.accepted, id)
		record(s.latency, latency)
		return false
	}
	if refused, ok := errors.AsType[*client.RefusedError](err); ok {
		s.refused[fmt.Sprintf("%d %s", refused.Status, refused.Title)]++
		return false
	}
	if _, ok := errors.AsType[*client.UnreachableError](err); ok {
		s.unreachable++
		return true
	}
	s.unanswered++
	return false
}

// loadAnswer returns the answer of the i-th task.
func loadAnswer(i, bytes int) string {
	name := fmt.Sprintf("load %d ", i)
	if len(name) >= bytes {
		return name[:bytes]
	}
	return name + strings.Repeat("x", bytes-len(name))
}

// newLatency returns a histogram of latencies in µs, of three significant
// figures.
func newLatency() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, (24 * time.Hour).Microseconds(), 3)
}

// record records d, brought into the histogram's range.
func record(h *hdrhistogram.Histogram, d time.Duration) {
	if err := h.RecordValue(min(max(d.Microseconds(), 1), h.HighestTrackableValue())); err != nil {
		panic(err) // it is in range
	}
}
