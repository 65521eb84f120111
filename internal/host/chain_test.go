package host

import (
	"context"
	"database/sql"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

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
