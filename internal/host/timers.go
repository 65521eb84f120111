package host

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"tasks/internal/task"
)

// timer is a wait of an execution: for a retry, or in a Wait state.
type timer struct {
	at  time.Time
	m   task.Message
	ref int64
}

// timers keeps all waits in one heap, and one goroutine waits for the next: a
// hundred thousand of them cost a hundred thousand small values.
type timers struct {
	mu      sync.Mutex
	heap    timerHeap
	earlier chan struct{} // holds one signal: the next timer may have changed
}

func newTimers() *timers { return &timers{earlier: make(chan struct{}, 1)} }

// set has next fire after wait.
func (t *timers) set(wait time.Duration, next timer) {
	next.at = time.Now().Add(wait)
	t.mu.Lock()
	heap.Push(&t.heap, next)
	first := t.heap[0] == next
	t.mu.Unlock()
	if first {
		select {
		case t.earlier <- struct{}{}:
		default:
		}
	}
}

// run calls fire for each timer when it is due, until ctx is done.
func (t *timers) run(ctx context.Context, fire func(timer)) {
	clock := time.NewTimer(0)
	defer clock.Stop()
	for {
		due, next := t.due(time.Now())
		for _, d := range due {
			fire(d)
		}
		if next.IsZero() {
			clock.Stop()
		} else {
			clock.Reset(time.Until(next))
		}
		select {
		case <-clock.C:
		case <-t.earlier:
		case <-ctx.Done():
			return
		}
	}
}

// due takes the timers that are due and returns the time of the next.
func (t *timers) due(now time.Time) (due []timer, next time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.heap) > 0 {
		if t.heap[0].at.After(now) {
			return due, t.heap[0].at
		}
		due = append(due, heap.Pop(&t.heap).(timer))
	}
	return due, time.Time{}
}

// timerHeap has the next timer first.
type timerHeap []timer

func (h timerHeap) Len() int           { return len(h) }
func (h timerHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h timerHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *timerHeap) Push(x any)        { *h = append(*h, x.(timer)) }
func (h *timerHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = timer{} // or its texts would be kept
	*h = old[:len(old)-1]
	return last
}
