package tasktest

import (
	"fmt"
	"sync"
	"testing"

	"tasks/internal/task"
)

// ExerciseMetrics runs the conformance suite of task.Metrics. open returns
// metrics of which nothing has been counted, and total, which returns the sum
// of a metric's counts; it may lag behind for a while.
func ExerciseMetrics(t *testing.T, open func(t *testing.T) (c task.Metrics, total func(m task.Metric) int)) {
	c, total := open(t)
	all := []task.Metric{task.DeadLettered, task.FailedStarts, task.Reconciled}
	var senders sync.WaitGroup
	for n, m := range all {
		for _, count := range []int{1, 10 + n, 0} {
			senders.Go(func() {
				if err := c.Count(t.Context(), m, count); err != nil {
					t.Errorf("Count %s: %v", m, err)
				}
			})
		}
	}
	senders.Wait()
	for n, m := range all {
		eventually(t, func() string {
			if got, want := total(m), 11+n; got != want {
				return fmt.Sprintf("%s: got %d, want %d", m, got, want)
			}
			return ""
		})
	}
}
