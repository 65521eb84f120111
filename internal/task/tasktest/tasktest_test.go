package tasktest

import (
	"errors"
	"testing"
	"time"

	"tasks/internal/task"
)

func TestStore(t *testing.T) {
	t.Parallel()
	ExerciseStore(t, func(*testing.T) task.Store { return NewStore() })
}

func TestStoreWithQueue(t *testing.T) {
	t.Parallel()
	store := NewStore()
	store.Queue = NewQueue()
	s := submit(t, store, "an answer", 0)
	s.restart("", 1)
	s.deadLetter(task.Marked, 2)
	s.redrive("")
	got := store.Queue.Messages()
	if len(got) != 3 || got[0].Run != 1 || got[1].Run != 2 || got[2].Run != 3 {
		t.Errorf("got messages %v, want runs 1, 2 and 3", got)
	}
}

func TestQueue(t *testing.T) {
	t.Parallel()
	ExerciseQueue(t, func(*testing.T) QueueUnderTest {
		q, opened := NewQueue(), time.Now()
		return QueueUnderTest{Queue: q, Receive: func() (bodies []string) {
			for _, m := range q.Sent() {
				if time.Since(opened) > m.Delay+time.Second { // it delays nothing itself
					bodies = append(bodies, m.Body())
				}
			}
			return bodies
		}}
	})
}

func TestDeadLetterQueue(t *testing.T) {
	t.Parallel()
	ExerciseDeadLetterQueue(t, func(*testing.T) (task.DeadLetterQueue, func() []string) {
		q := NewDeadLetterQueue()
		return q, q.Bodies
	})
}

func TestExecutions(t *testing.T) {
	t.Parallel()
	ExerciseExecutions(t, func(*testing.T) ExecutionsUnderTest {
		x := NewExecutions()
		return ExecutionsUnderTest{Executions: x, End: func(m task.Message) task.ExecutionOutcome {
			outcome := task.ExecutionOutcome{Status: task.ExecutionFailed, Error: "WorkerError", Cause: "no luck"}
			x.End(m, outcome)
			return outcome
		}}
	})
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	ExerciseMetrics(t, func(*testing.T) (task.Metrics, func(task.Metric) int) {
		c := NewMetrics()
		return c, c.Total
	})
}

func TestFaults(t *testing.T) {
	t.Parallel()
	lost := errors.New("connection reset")
	store := NewStore()
	s := submit(t, store, "an answer", 0)
	request := task.ClaimRequest{Message: s.want.Message(), ExecutionID: "execution", Token: "token", Now: s.now, Lease: lease}

	store.FailBefore("Claim", lost)
	if _, _, err := store.Claim(t.Context(), request); err != lost {
		t.Errorf("Claim: got %v, want %v", err, lost)
	}
	s.check()

	store.FailAfter("Claim", lost)
	if _, _, err := store.Claim(t.Context(), request); err != lost {
		t.Errorf("Claim: got %v, want %v", err, lost)
	}
	s.want.Claim(request)
	s.check()

	if outcome, _, err := store.Claim(t.Context(), request); err != nil || outcome != task.ClaimRun {
		t.Errorf("Claim: got %v, %v, want %v", outcome, err, task.ClaimRun)
	}
}
