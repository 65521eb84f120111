package host

import (
	"context"
	"database/sql"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tasks/internal/asl"
	"tasks/internal/task"
)

// What an execution's start or an attempt's end writes is applied before it is on
// disk. These tests have the file refuse it then.
func TestWhatWasAppliedIsNotWritten(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, refused string // a condition on the row
		within        time.Duration
		attempts      int
		first         string // error of the first attempt
		ran           int64  // how often the worker had run when the file could be written again
	}{
		{"the start", `OLD.execution = '' AND NEW.execution = 'RUNNING'`, 10 * time.Minute, 1, "", 0},
		{"a success", `NEW.status = 'PROCESSED'`, 3 * time.Second, 2, string(task.LambdaUnknown), 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "tasks.db")
				var ran atomic.Int64
				h := serveTest(t, path, workerFunc(func(context.Context, task.Task) error {
					ran.Add(1)
					return nil
				}))
				defer h.shutdown()
				change(t, path, `CREATE TRIGGER broken BEFORE UPDATE ON tasks WHEN `+row.refused+` BEGIN SELECT RAISE(ABORT, 'broken'); END`)
				id := h.submitLater("x", 1) // or its creation might share the commit
				pass(2 * time.Second)
				if now := h.get(id); !now.Status.Open() || ran.Load() != row.ran {
					t.Errorf("the task is %s and the worker has run %d times, want it open and %d", now.Status, ran.Load(), row.ran)
				}
				change(t, path, `DROP TRIGGER broken`)
				pass(row.within)
				now := h.want(id, task.Processed, row.attempts)
				if got := now.Attempts[0].ErrorType; got != row.first {
					t.Errorf("the first attempt ended with %q, want %q", got, row.first)
				}
			})
		})
	}
}

// An execution's start that is lost leaves nothing behind that would be taken for the
// next start's: neither the timer of a wait nor a task in line.
func TestALostStartLeavesNothing(t *testing.T) {
	t.Parallel()
	for name, definition := range map[string]string{
		"a timer": `{"StartAt": "Later", "States": {"Later": {"Type": "Wait", "Seconds": 600, "End": true}}}`,
		"a task":  `{"StartAt": "Work", "States": {"Work": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "x"}, "End": true}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "tasks.db")
				h := serveTest(t, path, nil)
				defer h.shutdown()
				machine, err := asl.Parse([]byte(definition))
				if err != nil {
					t.Fatal(err)
				}
				id, err := h.db.Definition(context.Background(), definition)
				if err != nil {
					t.Fatal(err)
				}
				e := newExecutions(h.invocations, h.goroutines, h.db, machine, id, "test", h.log)
				e.slots = newSlots(0)
				change(t, path, `CREATE TRIGGER broken BEFORE UPDATE ON tasks WHEN NEW.execution = 'RUNNING' BEGIN SELECT RAISE(ABORT, 'broken'); END`)
				m := task.Message{TaskID: h.submitLater("x", 900), Run: 1}
				if err := e.Start(context.Background(), m); !task.IsKind(err, task.Unavailable) {
					t.Errorf("got %v, want Unavailable", err)
				}
				if len(e.timers.heap) > 0 || len(e.slots.line) > 0 {
					t.Errorf("%d timers and %d tasks in line are left", len(e.timers.heap), len(e.slots.line))
				}
				change(t, path, `DROP TRIGGER broken`)
				if err := e.Start(context.Background(), m); err != nil {
					t.Error(err)
				}
				if len(e.timers.heap)+len(e.slots.line) != 1 {
					t.Errorf("%d timers and %d tasks in line, want one of them", len(e.timers.heap), len(e.slots.line))
				}
				e.running.Wait()
			})
		})
	}
}

// change changes the file from outside.
func change(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		t.Fatal(err)
	}
}
