package simulation

import (
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"
)

// World orders what happens in a simulation. Its methods are for the goroutine
// that calls Run, and for functions that it runs, but for Park.
type World struct {
	*Faults

	seed    uint64
	random  *rand.Rand
	began   time.Time
	agenda  agenda
	entries int // on the agenda so far
	history strings.Builder

	mu      sync.Mutex
	arrived []*parked
	signal  chan struct{} // holds one: somebody has parked
}

// parked is a goroutine that waits to be let go on.
type parked struct {
	key     string
	plan    func() time.Duration
	proceed chan struct{}
	left    bool // under World.mu: its context has ended, it waits no more
}

// NewWorld returns a world in which everything follows from seed. It has to be
// made in the synctest bubble that it is used in.
func NewWorld(seed uint64) *World {
	random := rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15))
	return &World{Faults: newFaults(random), seed: seed, random: random, began: time.Now(), signal: make(chan struct{}, 1)}
}

// Park waits until the World lets the caller go on, which it does after the
// time that plan returns, or until ctx is done, and tells whether it was the
// World. plan is called by Run: it may draw, and say how the caller is to go on.
// Calls that park at the same moment are planned in the order of their keys.
func (w *World) Park(ctx context.Context, key string, plan func() time.Duration) bool {
	if ctx.Err() != nil {
		return false
	}
	p := &parked{key: key, plan: plan, proceed: make(chan struct{})}
	w.mu.Lock()
	w.arrived = append(w.arrived, p)
	w.mu.Unlock()
	select {
	case w.signal <- struct{}{}:
	default:
	}
	select {
	case <-p.proceed:
		return true
	case <-ctx.Done():
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-p.proceed: // both at once
		return true
	default:
	}
	p.left = true
	return false
}

// After has f called by Run after a time.
func (w *World) After(d time.Duration, f func()) {
	w.entries++
	heap.Push(&w.agenda, entry{time.Now().Add(d), w.entries, f})
}

// Run lets what is on the agenda happen, and what follows from it, until done
// says so or the time is up. It tells whether it was done.
func (w *World) Run(until time.Duration, done func() bool) bool {
	end := time.Now().Add(until)
	clock := time.NewTimer(0)
	defer clock.Stop()
	for {
		w.admit()
		switch {
		case done():
			return true
		case !time.Now().Before(end):
			return false
		}
		next := end
		if len(w.agenda) > 0 && w.agenda[0].at.Before(end) {
			next = w.agenda[0].at
		}
		if wait := time.Until(next); wait > 0 {
			clock.Reset(wait)
			select {
			case <-clock.C:
			case <-w.signal:
			}
			continue // others may have woken at the same moment
		}
		if len(w.agenda) > 0 {
			heap.Pop(&w.agenda).(entry).happen()
		}
	}
}

// admit waits until everything has come to rest and puts the calls that have
// parked since on the agenda.
func (w *World) admit() {
	synctest.Wait()
	w.mu.Lock()
	arrived := slices.DeleteFunc(w.arrived, func(p *parked) bool { return p.left })
	w.arrived = nil
	w.mu.Unlock()
	slices.SortStableFunc(arrived, func(a, b *parked) int { return cmp.Compare(a.key, b.key) })
	for _, p := range arrived {
		w.After(p.plan(), func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			if !p.left {
				close(p.proceed)
			}
		})
	}
}

// Since is the time since the beginning.
func (w *World) Since() time.Duration { return time.Since(w.began) }

// Record adds a line to the history.
func (w *World) Record(format string, args ...any) {
	fmt.Fprintf(&w.history, "%14s  ", w.Since())
	fmt.Fprintf(&w.history, format, args...)
	w.history.WriteByte('\n')
}

// History returns what has been recorded, a line each.
func (w *World) History() string { return w.history.String() }

// Chance is true with a probability.
func (w *World) Chance(p float64) bool { return w.random.Float64() < p }

// Intn returns a number from 0 to n-1.
func (w *World) Intn(n int) int { return w.random.IntN(n) }

// Between returns a time from least to most.
func (w *World) Between(least, most time.Duration) time.Duration {
	return least + time.Duration(w.random.Int64N(int64(most-least)+1))
}

// Hash returns a number that depends on the seed and on what it is given alone.
// Unlike the others it may be called by any goroutine.
func (w *World) Hash(of ...any) uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, w.seed, of)
	return h.Sum64()
}

// When returns text, or nothing: for lines of the history.
func When(is bool, text string) string {
	if is {
		return text
	}
	return ""
}

// entry is something that happens at a time.
type entry struct {
	at     time.Time
	number int
	happen func()
}

// agenda has the next entry first.
type agenda []entry

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	if !a[i].at.Equal(a[j].at) {
		return a[i].at.Before(a[j].at)
	}
	return a[i].number < a[j].number
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(entry)) }
func (a *agenda) Pop() any {
	old := *a
	last := old[len(old)-1]
	*a = old[:len(old)-1]
	return last
}
