package process

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tasks/internal/task"
	"tasks/internal/task/tasktest"
)

const (
	id        = task.ID("01939a3e-7c00-7000-8000-000000000001")
	execution = "execution-1"
	timeout   = time.Minute // of an invocation
)

// workerFunc is a Worker, and counts its calls.
type workerFunc struct {
	calls atomic.Int32
	work  func(ctx context.Context, t task.Task) error
}

func (w *workerFunc) Work(ctx context.Context, t task.Task) error {
	w.calls.Add(1)
	if w.work == nil {
		return nil
	}
	return w.work(ctx, t)
}

// bench is a handler on a store with one PENDING task.
type bench struct {
	t      *testing.T
	store  *tasktest.Store
	worker *workerFunc
	h      *Handler
}

func newBench(t *testing.T, work func(ctx context.Context, t task.Task) error) *bench {
	store, worker := tasktest.NewStore(), &workerFunc{work: work}
	store.Put(task.New(id, "42", time.Now()))
	return &bench{t, store, worker, &Handler{
		Store: store, Worker: worker, Retention: 30 * 24 * time.Hour, Log: slog.New(slog.DiscardHandler),
	}}
}

func input(retryCount int) Input {
	return Input{Message: task.Message{TaskID: id, Run: 1}, RetryCount: retryCount, ExecutionID: execution}
}

// result is what the state machine sees of an invocation.
type result struct {
	Outcome Outcome
	Kind    task.Kind
}

// invoke runs an invocation in its own time.
func (b *bench) invoke(in Input) (result, error) {
	ctx, cancel := context.WithTimeout(b.t.Context(), timeout)
	defer cancel()
	out, err := b.h.Handle(ctx, in)
	return result{out.Outcome, task.KindOf(err)}, err
}

func (b *bench) want(in Input, want result) {
	b.t.Helper()
	if got, err := b.invoke(in); got != want {
		b.t.Errorf("got %+v (%v), want %+v", got, err, want)
	}
}

func (b *bench) record() task.Task {
	b.t.Helper()
	t, err := b.store.Get(b.t.Context(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	return t
}

// claimed puts the record through claims of earlier invocations, which left it
// PROCESSING.
func claimed(t *task.Task, execution string, retryCounts ...int) {
	for _, n := range retryCounts {
		t.Claim(task.ClaimRequest{
			Message: t.Message(), ExecutionID: execution, RetryCount: n, Token: "earlier",
			Now: task.At(time.Now()), Lease: time.Minute,
		})
		t.Owner = "dead"
	}
}

func failed(t *task.Task) {
	t.Owner = "earlier"
	if _, err := t.Finish(task.FinishRequest{ID: id, Token: "earlier", Now: task.At(time.Now()), Err: &task.Failure{Type: "WorkerError", Message: "no luck"}}); err != nil {
		panic(err)
	}
}

func TestHandleFollowsTheClaim(t *testing.T) {
	t.Parallel()
	processed, skipped := result{Outcome: Processed}, result{Outcome: Skipped}
	tests := []struct {
		name          string
		record        func(t *task.Task)
		after         time.Duration
		in            Input
		first, second result
		calls         int
	}{
		{"runs a PENDING task once", func(*task.Task) {}, 0, input(0), processed, skipped, 1},
		{"skips another run", func(t *task.Task) { t.Run = 2 }, 0, input(0), skipped, skipped, 0},
		{"skips a PROCESSED task", func(t *task.Task) { t.Status = task.Processed }, 0, input(0), skipped, skipped, 0},
		{"skips a task in the DLQ", func(t *task.Task) { t.Status = task.DLQ }, 0, input(0), skipped, skipped, 0},
		{"runs the retry of a FAILED task", func(t *task.Task) { claimed(t, execution, 0); failed(t) }, 0, input(1), processed, skipped, 1},
		{
			"answers again with the recorded error", func(t *task.Task) { claimed(t, execution, 0); failed(t) }, 0, input(0),
			result{Kind: task.WorkerError}, result{Kind: task.WorkerError}, 0,
		},
		{"runs the next attempt after one that died", func(t *task.Task) { claimed(t, execution, 0) }, 0, input(1), processed, skipped, 1},
		{"runs an interrupted attempt again", func(t *task.Task) { claimed(t, execution, 0) }, 0, input(0), processed, skipped, 1},
		{
			"fails an attempt that was interrupted too often", func(t *task.Task) { claimed(t, execution, 0, 0, 0) }, 0, input(0),
			result{Kind: task.Interrupted}, result{Kind: task.Interrupted}, 0,
		},
		{"skips an invocation that comes late", func(t *task.Task) { claimed(t, execution, 1) }, 0, input(0), skipped, skipped, 0},
		{"skips a task that another execution holds", func(t *task.Task) { claimed(t, "execution-2", 0) }, 0, input(0), skipped, skipped, 0},
		{"takes over a task when the lease is over", func(t *task.Task) { claimed(t, "execution-2", 0) }, 2 * time.Minute, input(0), processed, skipped, 1},
		{
			"has no task of an unknown id", func(t *task.Task) { t.ID = "01939a3e-7fff-7000-8000-0000000000ff" }, 0, input(0),
			result{Kind: task.NotFound}, result{Kind: task.NotFound}, 0,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, nil)
				rec := b.record()
				tt.record(&rec)
				b.h.Store = tasktest.NewStore()
				b.store = b.h.Store.(*tasktest.Store)
				b.store.Put(rec)
				<-time.After(tt.after)
				b.want(tt.in, tt.first)
				b.want(tt.in, tt.second)
				if int(b.worker.calls.Load()) != tt.calls {
					t.Errorf("the worker was called %d times, want %d", b.worker.calls.Load(), tt.calls)
				}
			})
		})
	}
}

func TestHandleRecordsASuccess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(context.Context, task.Task) error { <-time.After(time.Second); return nil })
		start := task.At(time.Now())
		b.want(input(0), result{Outcome: Processed})
		end := start.Plus(time.Second)
		want := task.New(id, "42", start.Time)
		want.Status, want.UpdatedAt, want.ExecutionID = task.Processed, end, execution
		want.ExpiresAt = end.Plus(30 * 24 * time.Hour)
		want.Attempts = []task.Attempt{{Number: 1, Run: 1, StartedAt: start, FinishedAt: end}}
		got := b.record()
		if got.Owner == "" {
			t.Error("the record has no owner, want the invocation's token")
		}
		got.Owner = ""
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("record (-want +got):\n%s", diff)
		}
	})
}

func TestHandleHoldsALeaseBeyondItsDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var b *bench
		b = newBench(t, func(context.Context, task.Task) error {
			if got, want := b.record().LeaseUntil, task.At(time.Now().Add(timeout+10*time.Second)); got != want {
				t.Errorf("the lease ends at %v, want %v", got, want)
			}
			return nil
		})
		b.want(input(0), result{Outcome: Processed})
	})
}

func TestHandleGivesTheWorkerACopy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(_ context.Context, rec task.Task) error {
			if rec.Answer != "42" || rec.ID != id || rec.Owner != "" {
				t.Errorf("the worker got %+v, want the answer, the id and no owner", rec)
			}
			rec.Attempts[0].Number = 99
			return nil
		})
		b.want(input(0), result{Outcome: Processed})
		if got := b.record().Attempts[0].Number; got != 1 {
			t.Errorf("the worker changed the record: got attempt number %d, want 1", got)
		}
	})
}

func TestHandleRefusesAnInputThatIsNoAttempts(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]Input{
		"nothing":               {},
		"an odd id":             {Message: task.Message{TaskID: "1", Run: 1}, ExecutionID: execution},
		"no run":                {Message: task.Message{TaskID: id}, ExecutionID: execution},
		"no execution":          {Message: task.Message{TaskID: id, Run: 1}},
		"a negative retryCount": {Message: task.Message{TaskID: id, Run: 1}, ExecutionID: execution, RetryCount: -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			b.want(in, result{Kind: task.PermanentError})
			b.want(in, result{Kind: task.PermanentError})
			if b.worker.calls.Load() != 0 || b.record().Status != task.Pending {
				t.Error("the task was touched, want it left alone")
			}
		})
	}
}
