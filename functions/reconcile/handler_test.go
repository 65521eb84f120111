package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tasks/internal/task"
	"tasks/internal/task/tasktest"
)

var unavailable = task.Errorf(task.Unavailable, "away")

type bench struct {
	store      *tasktest.Store
	queue      *tasktest.Queue
	dead       *tasktest.DeadLetterQueue
	executions *tasktest.Executions
	metrics    *tasktest.Metrics
	h          *Handler
}

func newBench() *bench {
	b := &bench{
		store: tasktest.NewStore(), queue: tasktest.NewQueue(), dead: tasktest.NewDeadLetterQueue(),
		executions: tasktest.NewExecutions(), metrics: tasktest.NewMetrics(),
	}
	b.h = &Handler{
		Store: b.store, Queue: b.queue, DeadLetterQueue: b.dead, Executions: b.executions, Metrics: b.metrics,
		Log: slog.New(slog.DiscardHandler),
	}
	return b
}

func idOf(n int) task.ID { return task.ID(fmt.Sprintf("01939a3e-7c00-7000-8000-%012d", n)) }

// put stores a task that was submitted long ago, claimed and failed if that is
// its status, and is due.
func (b *bench) put(n int, status task.Status) task.Message {
	ago := time.Now().Add(-time.Hour)
	t := task.New(idOf(n), "42", ago)
	if status != task.Pending {
		t.Claim(task.ClaimRequest{Message: t.Message(), ExecutionID: "execution", Token: "token", Now: task.At(ago), Lease: time.Minute})
	}
	if status == task.Failed {
		if _, err := t.Finish(task.FinishRequest{Token: "token", Now: task.At(ago), Err: &task.Failure{Type: "WorkerError", Message: "no luck"}}); err != nil {
			panic(err)
		}
	}
	b.store.Put(t)
	return t.Message()
}

// end starts the execution of m and brings it to an end.
func (b *bench) end(m task.Message, outcome task.ExecutionOutcome) {
	b.start(m)
	b.executions.End(m, outcome)
}

func (b *bench) start(m task.Message) {
	if err := b.executions.Start(context.Background(), m); err != nil {
		panic(err)
	}
}

func (b *bench) reconcile(t *testing.T) Output {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second)
	defer cancel()
	out, err := b.h.Handle(ctx, Input{})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestHandle(t *testing.T) {
	t.Parallel()
	m := task.Message{TaskID: idOf(1), Run: 1}
	next := task.Message{TaskID: idOf(1), Run: 2}
	letter := func(errorName, cause string) []string {
		return []string{task.DeadLetter{Message: m, Error: errorName, Cause: cause, ExecutionID: "execution"}.Body()}
	}
	tests := []struct {
		name    string
		prepare func(b *bench)
		queue   []task.Message
		dead    []string
		// The next check is later: put off, or a new run's first.
		check time.Duration
		acted int
	}{
		{"sends a message again", func(b *bench) { b.put(1, task.Pending) }, []task.Message{m}, nil, 2 * task.FirstCheckAfter, 1},
		{
			"sends a message again when executions can't be asked",
			func(b *bench) { b.executions.Express = true; b.start(b.put(1, task.Pending)) }, []task.Message{m}, nil, 2 * task.FirstCheckAfter, 1,
		},
		{"waits for an execution", func(b *bench) { b.start(b.put(1, task.Pending)) }, nil, nil, 2 * task.FirstCheckAfter, 0},
		{
			"restarts a task whose execution never claimed it",
			func(b *bench) { b.end(b.put(1, task.Pending), task.ExecutionOutcome{Status: task.ExecutionAborted}) },
			[]task.Message{next}, nil, task.FirstCheckAfter, 1,
		},
		{
			"restarts a task on a host that queues it in the same step",
			func(b *bench) {
				b.store.Queue = b.queue
				b.end(b.put(1, task.Pending), task.ExecutionOutcome{Status: task.ExecutionAborted})
			},
			[]task.Message{next}, nil, task.FirstCheckAfter, 1,
		},
		{"waits for a retry", func(b *bench) { b.start(b.put(1, task.Failed)) }, nil, nil, 2 * task.FirstCheckAfter, 0},
		{
			"dead-letters with the execution's error",
			func(b *bench) {
				b.end(b.put(1, task.Failed), task.ExecutionOutcome{Status: task.ExecutionFailed, Error: "States.Runtime", Cause: "no such path"})
			},
			nil, letter("States.Runtime", "the task was left FAILED (WorkerError: no luck) when its execution ended FAILED with States.Runtime: no such path"), 2 * task.FirstCheckAfter, 1,
		},
		{
			"dead-letters a task that its execution abandoned",
			func(b *bench) {
				b.end(b.put(1, task.Processing), task.ExecutionOutcome{Status: task.ExecutionSucceeded})
			},
			nil, letter("Abandoned", "the task was left PROCESSING when its execution ended SUCCEEDED"), 2 * task.FirstCheckAfter, 1,
		},
		{
			"dead-letters a task whose execution is gone", func(b *bench) { b.put(1, task.Processing) },
			nil, letter("Abandoned", "the task was left PROCESSING: its execution is not there any more, or can't be asked"), 2 * task.FirstCheckAfter, 1,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench()
				tt.prepare(b)
				if diff := cmp.Diff(Output{Looked: 1, Acted: tt.acted}, b.reconcile(t)); diff != "" {
					t.Errorf("first (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(Output{}, b.reconcile(t)); diff != "" {
					t.Errorf("second (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(tt.queue, b.queue.Messages()); diff != "" {
					t.Errorf("sent (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(tt.dead, b.dead.Bodies()); diff != "" {
					t.Errorf("dead-lettered (-want +got):\n%s", diff)
				}
				if got := b.metrics.Total(task.Reconciled); got != tt.acted {
					t.Errorf("Reconciled: got %d, want %d", got, tt.acted)
				}
				rec, err := b.store.Get(t.Context(), idOf(1))
				if want := task.At(time.Now().Add(tt.check)); err != nil || rec.NextCheckAt != want {
					t.Errorf("the next check is at %v, %v, want %v", rec.NextCheckAt, err, want)
				}
			})
		})
	}
}

// TestHandleAfterAnError has one task that fails next to one that doesn't.
func TestHandleAfterAnError(t *testing.T) {
	t.Parallel()
	closed := task.ExecutionOutcome{Status: task.ExecutionFailed}
	pending := func(b *bench) { b.put(1, task.Pending) }
	ended := func(b *bench) { b.end(b.put(1, task.Pending), closed) }
	dead := func(b *bench) { b.put(1, task.Processing) }
	m, next := task.Message{TaskID: idOf(1), Run: 1}, task.Message{TaskID: idOf(1), Run: 2}
	tests := []struct {
		name          string
		prepare       func(b *bench)
		op            string
		faults        func(b *bench) *tasktest.Faults
		applied       bool
		first, second Output // without the other task
		queue         []task.Message
		dead          int
	}{
		{
			"asks again", pending, "Status", func(b *bench) *tasktest.Faults { return &b.executions.Faults }, false,
			Output{Looked: 1, Failed: 1}, Output{Looked: 1, Acted: 1}, []task.Message{m}, 0,
		},
		{
			"sends again", pending, "Send", func(b *bench) *tasktest.Faults { return &b.queue.Faults }, false,
			Output{Looked: 1, Failed: 1}, Output{Looked: 1, Acted: 1}, []task.Message{m}, 0,
		},
		{
			"sends again what was not put off", pending, "Defer", func(b *bench) *tasktest.Faults { return &b.store.Faults }, false,
			Output{Looked: 1, Acted: 1, Failed: 1}, Output{Looked: 1, Acted: 1}, []task.Message{m, m}, 0,
		},
		{
			"dead-letters again", dead, "Send", func(b *bench) *tasktest.Faults { return &b.dead.Faults }, false,
			Output{Looked: 1, Failed: 1}, Output{Looked: 1, Acted: 1}, nil, 1,
		},
		{
			"restarts again", ended, "Restart", func(b *bench) *tasktest.Faults { return &b.store.Faults }, false,
			Output{Looked: 1, Failed: 1}, Output{Looked: 1, Acted: 1}, []task.Message{next}, 0,
		},
		{
			"leaves a restart that was made after all to its own check", ended, "Restart", func(b *bench) *tasktest.Faults { return &b.store.Faults }, true,
			Output{Looked: 1, Failed: 1}, Output{}, nil, 0,
		},
		{
			"leaves a new run that was not sent to its own check", ended, "Send", func(b *bench) *tasktest.Faults { return &b.queue.Faults }, false,
			Output{Looked: 1, Acted: 1, Failed: 1}, Output{}, nil, 0,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench()
				tt.prepare(b)
				if tt.applied {
					tt.faults(b).FailAfter(tt.op, unavailable)
				} else {
					tt.faults(b).FailBefore(tt.op, unavailable)
				}
				if diff := cmp.Diff(tt.first, b.reconcile(t)); diff != "" {
					t.Errorf("first (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(tt.second, b.reconcile(t)); diff != "" {
					t.Errorf("second (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(tt.queue, b.queue.Messages()); diff != "" {
					t.Errorf("sent (-want +got):\n%s", diff)
				}
				if got := len(b.dead.Bodies()); got != tt.dead {
					t.Errorf("got %d dead letters, want %d", got, tt.dead)
				}
				if got, want := b.metrics.Total(task.Reconciled), tt.first.Acted+tt.second.Acted; got != want {
					t.Errorf("Reconciled: got %d, want %d", got, want)
				}
			})
		})
	}
}

// failing are Executions that don't answer for some tasks.
type failing struct {
	*tasktest.Executions
	fails func(task.ID) bool
}

func (f failing) Status(ctx context.Context, m task.Message) (task.ExecutionOutcome, error) {
	if f.fails(m.TaskID) {
		return task.ExecutionOutcome{}, unavailable
	}
	return f.Executions.Status(ctx, m)
}

func TestHandleGoesPastTasksThatFail(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		const bad, good = 3 * roundTasks, 50
		for n := range bad + good {
			b.put(n, task.Pending) // Due gives the bad ones first
		}
		b.h.Executions = failing{b.executions, func(id task.ID) bool { return id < idOf(bad) }}
		want := Output{Looked: bad + good, Acted: good, Failed: bad}
		if diff := cmp.Diff(want, b.reconcile(t)); diff != "" {
			t.Errorf("output (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(Output{Looked: bad, Failed: bad}, b.reconcile(t)); diff != "" {
			t.Errorf("second (-want +got):\n%s", diff)
		}
	})
}

func TestHandleIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		for n := range maxTasks + 10 {
			b.put(n, task.Pending)
		}
		if diff := cmp.Diff(Output{Looked: maxTasks, Acted: maxTasks}, b.reconcile(t)); diff != "" {
			t.Errorf("first (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(Output{Looked: 10, Acted: 10}, b.reconcile(t)); diff != "" {
			t.Errorf("second (-want +got):\n%s", diff)
		}
	})
}

// hanging are Executions that never answer.
type hanging struct{ task.Executions }

func (hanging) Status(ctx context.Context, _ task.Message) (task.ExecutionOutcome, error) {
	<-ctx.Done()
	return task.ExecutionOutcome{}, task.Errorf(task.Unavailable, "status: %w", ctx.Err())
}

func TestHandleEndsInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.h.Executions = hanging{b.executions}
		for n := range 3 * concurrency {
			b.put(n, task.Pending)
		}
		start := time.Now()
		if diff := cmp.Diff(Output{Looked: concurrency, Failed: concurrency}, b.reconcile(t)); diff != "" {
			t.Errorf("output (-want +got):\n%s", diff)
		}
		if got, want := time.Since(start), 48*time.Second; got != want {
			t.Errorf("it ended after %v, want %v of 50 s", got, want)
		}
	})
}

func TestHandleTwiceAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench()
	const n = 100
	for i := range n {
		b.end(b.put(i, task.Pending), task.ExecutionOutcome{Status: task.ExecutionAborted})
	}
	other := make(chan Output)
	go func() {
		out, _ := b.h.Handle(context.Background(), Input{})
		other <- out
	}()
	out, err := b.h.Handle(t.Context(), Input{})
	second := <-other
	if acted := out.Acted + second.Acted; err != nil || acted != n || len(b.queue.Messages()) != n {
		t.Errorf("got %d restarts, %d messages, %v, want %d of each", acted, len(b.queue.Messages()), err, n)
	}
	if out.Failed+second.Failed != 0 {
		t.Errorf("got %d and %d failures, want none", out.Failed, second.Failed)
	}
}

func TestHandleLeavesATaskThatHasGoneOn(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.end(b.put(1, task.Pending), task.ExecutionOutcome{Status: task.ExecutionAborted})
	b.store.FailBefore("Restart", task.Errorf(task.Conflict, "another was faster"))
	if diff := cmp.Diff(Output{Looked: 1}, b.reconcile(t)); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
}

func TestHandleReturnsTheErrorOfDue(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.put(1, task.Pending)
	b.store.FailBefore("Due", unavailable)
	if _, err := b.h.Handle(t.Context(), Input{}); !errors.Is(err, unavailable) || task.KindOf(err) != task.Unavailable {
		t.Errorf("got %v, want the store's error", err)
	}
	b.metrics.FailBefore("Count", unavailable)
	if out := b.reconcile(t); out.Acted != 1 {
		t.Errorf("got %+v, want one task acted on although its metric fails", out)
	}
}
