package simulation

import (
	"flag"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Result is what a run gives.
type Result struct {
	Problems []string
	History  string
	Faults   map[string]int // how often each kind happened
	Tasks    int
	Lasted   time.Duration // in virtual time
}

// Seeds simulates a system with seeds 1 to n, and fails the test with the
// problems of each that has some. SEEDS in the environment sets n, FIRST the
// first seed; SEED names a single one, whose history is printed.
//
// run runs in a bubble of its own. Over many seeds each kind of fault that was
// asked about has to happen, or the test fails: what is not tried shows nothing.
func Seeds(t *testing.T, n int, run func(t *testing.T, seed uint64) Result) {
	first, one := number(t, "FIRST", 1), number(t, "SEED", 0)
	n = number(t, "SEEDS", n)
	if one > 0 {
		first, n = one, 1
	}
	failFast := flag.Lookup("test.failfast").Value.String() == "true" // which subtests that are parallel don't look at
	began := time.Now()
	var failed atomic.Bool
	var mu sync.Mutex
	total := Result{Faults: map[string]int{}}
	t.Run("seeds", func(t *testing.T) {
		for i := range n {
			seed := uint64(first + i)
			t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
				t.Parallel()
				if failFast && failed.Load() {
					t.SkipNow() // the seed that failed is what was asked for
				}
				synctest.Test(t, func(t *testing.T) {
					r := run(t, seed)
					if one > 0 {
						t.Log("\n" + r.History)
					}
					for _, p := range r.Problems {
						t.Error(p)
					}
					if len(r.Problems) > 0 {
						failed.Store(true)
						t.Errorf("To run it again, with its history: make sim SEED=%d", seed)
					}
					mu.Lock()
					defer mu.Unlock()
					total.Tasks += r.Tasks
					total.Lasted += r.Lasted
					for kind, times := range r.Faults {
						total.Faults[kind] += times
					}
				})
			})
		}
	})
	took := time.Since(began)
	t.Logf("%d seeds, %d tasks, %.0f simulated hours in %v: %.0f hours a second; faults: %v",
		n, total.Tasks, total.Lasted.Hours(), took.Round(time.Millisecond), total.Lasted.Hours()/took.Seconds(), total.Faults)
	for kind, times := range total.Faults {
		if times == 0 && n >= 100 {
			t.Errorf("in %d seeds it never happened that %s", n, kind)
		}
	}
}

func number(t *testing.T, variable string, otherwise int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s is %q: want a whole number from 1 on", variable, text)
	}
	return n
}

// Compare fails the test where two histories differ.
func Compare(t *testing.T, first, second string) {
	t.Helper()
	if first == second {
		if strings.Count(first, "\n") < 10 {
			t.Errorf("the history is too short to show anything: %s", first)
		}
		return
	}
	a, b := strings.Split(first, "\n"), strings.Split(second, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			t.Fatalf("line %d differs:\n%s\n%s\nafter:\n%s", i+1, a[i], b[i], strings.Join(a[max(0, i-10):i], "\n"))
		}
	}
	t.Fatalf("one history has %d lines, the other %d", len(a), len(b))
}
