package host

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tasks/internal/task"
	"tasks/internal/taskdb"
)

// What waits for a retry is a timer and nothing else. What waits for a slot is
// neither in memory nor a goroutine, also when a host finds everything due at
// once; and it runs when its turn comes.
func TestTasksWaitInLine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const tasks, slots = 200, 7
		path := retriesDue(t, tasks)

		var running, most atomic.Int64
		worker := workerFunc(func(ctx context.Context, _ task.Task) error {
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			select {
			case <-time.After(time.Second):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		serve := func() *testHost {
			again, err := New(Config{Database: path, Worker: worker, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
			if err != nil {
				t.Fatal(err)
			}
			again.executions.slots = newSlots(slots)
			return serveHost(t, again)
		}
		h := serve()
		waits := func(want int) {
			t.Helper()
			_, live, line := h.waiting()
			if line != want || live != slots || running.Load() != slots {
				t.Fatalf("%d wait in line, %d executions are in memory and %d tasks run, want %d, %d and %d", line, live, running.Load(), want, slots, slots)
			}
		}
		pass(500 * time.Millisecond)
		waits(tasks - slots)
		pass(time.Second)
		waits(tasks - 2*slots)
		h.kill() // they are due again, those in line and those that ran
		h = serve()
		defer h.shutdown()
		pass(500 * time.Millisecond)
		h.submit("x") // comes after them
		pass(100 * time.Millisecond)
		waits(tasks - 2*slots)
		if h.db.Queue().Len() != 1 {
			t.Errorf("got %d on the queue, want the task that came after them", h.db.Queue().Len())
		}
		pass(tasks / slots * time.Second)
		page, err := h.db.List(t.Context(), task.Query{Filter: task.Filter{Status: task.Failed}, Limit: 1})
		if err != nil || len(page.Tasks) != 0 || h.db.Backlog() != 0 || most.Load() != slots {
			t.Errorf("%d tasks are unfinished and %d ran at once, %v, want 0 and %d", h.db.Backlog(), most.Load(), err, slots)
		}
	})
}

// retriesDue returns the file of a host that was killed an hour ago, when so many
// tasks waited for a retry, each as a timer and nothing else.
func retriesDue(t *testing.T, tasks int) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "tasks.db")
	h := serveTest(t, path, workerFunc(func(context.Context, task.Task) error { return errors.New("no") }))
	for range tasks {
		h.submit("x")
	}
	pass(time.Second)
	if timers, live, line := h.waiting(); timers != tasks || live != 0 || line != 0 {
		t.Errorf("%d retries wait as %d timers, %d executions in memory and %d tasks in line, want timers alone", tasks, timers, live, line)
	}
	h.kill()
	pass(time.Hour)
	return path
}

// While the file can be read and not written, an attempt that ends keeps its slot:
// if the next in line had it, that would fail at once and pass it on, until all of
// the line had a goroutine and was in memory.
func TestAnOutageOfWritesLeavesTheLineAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const tasks, slots = 100, 7
		path := retriesDue(t, tasks)

		var full atomic.Bool
		again, err := New(Config{
			Database: path,
			Log:      slog.New(slog.DiscardHandler),
			Worker: workerFunc(func(context.Context, task.Task) error {
				<-time.After(time.Second)
				return nil
			}),
			Intercept: func(op taskdb.Operation, do func() error) error {
				switch op.Name {
				case "Claim", "Finish", "SaveExecution":
					if full.Load() {
						return task.Errorf(task.Unavailable, "disk full")
					}
				}
				return do()
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		again.executions.slots = newSlots(slots)
		h := serveHost(t, again)
		defer h.shutdown()
		pass(500 * time.Millisecond)
		full.Store(true)
		pass(time.Minute)
		if _, live, line := h.waiting(); live != slots || line != tasks-slots {
			t.Errorf("after a minute %d executions are in memory and %d tasks in line, want %d and %d", live, line, slots, tasks-slots)
		}
		full.Store(false)
		pass(time.Minute)
		if counts, err := h.db.Counts(t.Context()); err != nil || counts.Tasks[task.Processed] != tasks {
			t.Errorf("at the end %+v, %v, want all processed", counts, err)
		}
	})
}

// TestACallThatIsCancelledInLine leaves its place to the next.
func TestACallThatIsCancelledInLine(t *testing.T) {
	t.Parallel()
	t.Run("because a branch beside it failed", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			h := openDurable(t, filepath.Join(t.TempDir(), "tasks.db"), `{"StartAt": "All", "States": {"All": {"Type": "Parallel", "End": true, "Branches": [
				{"StartAt": "First", "States": {"First": {TASK, "Parameters": {"MS": 3000, "Answer": "first"}, "End": true}}},
				{"StartAt": "Both", "States": {
					"Both": {"Type": "Parallel", "Catch": [{"ErrorEquals": ["Beside"], "Next": "Caught"}], "End": true, "Branches": [
						{"StartAt": "Cancelled", "States": {"Cancelled": {TASK, "Parameters": {"Answer": "cancelled"}, "End": true}}},
						{"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 2, "Next": "Beside"}, "Beside": {"Type": "Fail", "Error": "Beside"}}}]},
					"Caught": {"Type": "Pass", "Result": "caught", "End": true}}},
				{"StartAt": "Later", "States": {"Later": {"Type": "Wait", "Seconds": 1, "Next": "Next"}, "Next": {TASK, "Parameters": {"Answer": "next"}, "End": true}}}]}}}`)
			defer h.kill()
			h.slots = newSlots(1)
			m := h.begin()
			pass(4 * time.Second)
			if got, want := h.outcome(m), `["first","caught","next"]`; !strings.Contains(got, strconv.Quote(want)) {
				t.Errorf("got %s, want the output %s", got, want)
			}
			if runs := h.runs(); len(runs) != 2 {
				t.Errorf("got %d calls, want two", len(runs))
			}
		})
	})
	t.Run("because its task was redriven", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			h := openDurable(t, filepath.Join(t.TempDir(), "tasks.db"), `{"StartAt": "T", "States": {"T": {TASK, "Parameters": {"MS": 3000}, "End": true}}}`)
			defer h.kill()
			h.slots = newSlots(1)
			first, redriven, next := h.begin(), h.begin(), h.begin()
			ctx, now := context.Background(), task.At(time.Now())
			if _, _, err := h.db.MarkDead(ctx, task.MarkRequest{DeadLetter: task.DeadLetter{Message: redriven}, Now: now}); err != nil {
				t.Fatal(err)
			}
			if _, _, err := h.db.Redrive(ctx, redriven, now); err != nil {
				t.Fatal(err)
			}
			pass(7 * time.Second)
			for _, m := range []task.Message{first, next} {
				if got, err := h.Status(ctx, m); err != nil || got.Status != task.ExecutionSucceeded {
					t.Errorf("%s: got %s, %v, want it SUCCEEDED", m.TaskID, got.Status, err)
				}
			}
			if len(h.ran) != 2 {
				t.Errorf("got %d calls, want two", len(h.ran))
			}
		})
	})
}

// waiting returns how many timers are set, how many executions are in memory and
// how many tasks are in line.
func (h *Host) waiting() (timers, live, line int) {
	e := h.executions
	e.timers.mu.Lock()
	timers = len(e.timers.heap)
	e.timers.mu.Unlock()
	e.mu.Lock()
	live = len(e.live)
	e.mu.Unlock()
	e.slots.mu.Lock()
	defer e.slots.mu.Unlock()
	return timers, live, len(e.slots.line)
}

// Slots go to those who wait, in their order.
func TestSlots(t *testing.T) {
	t.Parallel()
	s := newSlots(1)
	a, b, c := waitingCall{ref: 1}, waitingCall{ref: 2}, waitingCall{ref: 3}
	if !s.take(a) || s.take(b) || s.take(c) {
		t.Error("want one slot for three tasks")
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if s.wait(ended) == nil {
		t.Error("there is no slot free to wait for")
	}
	for _, want := range []waitingCall{b, c} {
		if next, ok := s.leave(); !ok || next != want {
			t.Errorf("got %v, %v, want %v", next, ok, want)
		}
	}
	if next, ok := s.leave(); ok {
		t.Errorf("got %v, want nobody", next)
	}
	if err := s.wait(t.Context()); err != nil {
		t.Error(err)
	}
	if !s.take(a) {
		t.Error("the slot is not free")
	}
}
