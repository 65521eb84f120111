package process

import (
	"testing"

	"tasks/internal/task"
)

func TestTheSimulatedWorkerFailsAtItsRate(t *testing.T) {
	t.Parallel()
	for _, rate := range []float64{0, 1} {
		w := simulated{failureRate: rate}
		for range 100 {
			err := w.Work(t.Context(), task.Task{})
			if failed := err != nil; failed != (rate == 1) || task.KindOf(err) != "" {
				t.Fatalf("rate %v: got %v, want an ordinary error at 1 and none at 0", rate, err)
			}
		}
	}
}
