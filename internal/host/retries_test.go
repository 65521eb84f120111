package host

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"tasks/internal/task"
	"tasks/internal/task/tasktest"
)

// TestRetriesAfterTwoAndFourSeconds is the one test of how the workflow that is compiled
// in retries: who changes that changes the waits here.
func TestRetriesAfterTwoAndFourSeconds(t *testing.T) {
	t.Parallel()
	waits := []time.Duration{2 * time.Second, 4 * time.Second}
	attempts := len(waits) + 1
	synctest.Test(t, func(t *testing.T) {
		// The answer says how many attempts fail.
		worker := workerFunc(func(_ context.Context, t task.Task) error {
			var failures int
			fmt.Sscan(t.Answer, &failures)
			if len(t.Attempts) <= failures {
				return fmt.Errorf("attempt %d failed", len(t.Attempts))
			}
			return nil
		})
		host, err := New(Config{Database: filepath.Join(t.TempDir(), "tasks.db"), Worker: worker, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		h := serveCompiledIn(t, host)
		defer h.shutdown()
		var ids []task.ID
		for i := range 1000 {
			ids = append(ids, h.submit(fmt.Sprint(i%(attempts+1))))
		}
		for _, wait := range waits {
			pass(wait)
		}
		pass(10 * time.Second)
		for i, id := range ids {
			failures := i % (attempts + 1)
			wantStatus := task.Processed
			if failures == attempts {
				wantStatus = task.DLQ
			}
			got := h.want(id, wantStatus, min(failures+1, attempts))
			if got.Retries != min(failures, len(waits)) {
				t.Errorf("got %d retries after %d failures", got.Retries, failures)
			}
			for n, a := range got.Attempts {
				if n == 0 {
					continue
				}
				gap, least := a.StartedAt.Sub(got.Attempts[n-1].FinishedAt.Time), waits[n-1]
				if gap < least || gap > least+500*time.Millisecond {
					t.Fatalf("retry %d started %v after the failure, want %v to %v", n, gap, least, least+500*time.Millisecond)
				}
			}
			if wantStatus == task.DLQ && (got.ErrorType != string(task.WorkerError) || got.ErrorMessage != fmt.Sprintf("attempt %d failed", attempts)) {
				t.Errorf("got error %q, %q", got.ErrorType, got.ErrorMessage)
			}
		}
	})
}

// retryBy has a host that does not serve yet retry by another policy than the workflow
// that is compiled in.
func retryBy(h *Host, p task.RetryPolicy) error {
	ctx := context.Background()
	definition, err := h.db.DefinitionBody(ctx, h.executions.definition)
	if err == nil {
		definition, err = tasktest.RetryBy(definition, p)
	}
	if err == nil {
		h.executions.definition, err = h.db.Definition(ctx, definition)
	}
	return err
}
