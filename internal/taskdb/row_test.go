package taskdb

import (
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tasks/internal/task"
)

// Whatever has changed in a row is in the file after it was written, alone or with all
// the rest.
func TestUpdateWritesWhatHasChanged(t *testing.T) {
	t.Parallel()
	at := task.AtMilli(1_790_000_000_123)
	changes := []struct {
		name   string
		change func(*row)
	}{
		{"status", func(r *row) { r.Status = task.DLQ }},
		{"run", func(r *row) { r.Run = 7 }},
		{"retries", func(r *row) { r.Retries = 2 }},
		{"updated_at", func(r *row) { r.UpdatedAt = at }},
		{"next_check_at", func(r *row) { r.NextCheckAt = at }},
		{"checks", func(r *row) { r.Checks = 3 }},
		{"expires_at", func(r *row) { r.ExpiresAt = at }},
		{"lease_until", func(r *row) { r.LeaseUntil = at }},
		{"owner", func(r *row) { r.Owner = "token" }},
		{"execution_id", func(r *row) { r.ExecutionID = "arn" }},
		{"error_type", func(r *row) { r.ErrorType = "WorkerError" }},
		{"error_message", func(r *row) { r.ErrorMessage = "no" }},
		{"attempts", func(r *row) { r.Attempts = []task.Attempt{{Number: 1, Run: 1, StartedAt: at}} }},
		{"visible_at", func(r *row) { r.visibleAt = 0 }},
		{"receives", func(r *row) { r.receives = 2 }},
		{"execution", func(r *row) { r.execution = task.ExecutionRunning }},
		{"definition", func(r *row) { r.definition = 1 }},
		{"journal", func(r *row) { r.journal = []byte("{}") }},
		{"next_attempt_at", func(r *row) { r.NextAttemptAt = at }},
		{"live", func(r *row) { r.Status, r.execution = task.Processed, task.ExecutionSucceeded }},
	}
	synctest.Test(t, func(t *testing.T) {
		db := openTest(t)
		write := func(name string, change func(*row)) {
			t.Helper()
			k, err := keyOf(newTask(t, db))
			if err != nil {
				t.Fatal(err)
			}
			var want row
			err = <-inTransaction(db, func(tx *tx) error {
				old, err := tx.row(k)
				if err == nil {
					want = *old
					change(&want)
					written := want
					tx.put(&written)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			got, err := scanRow(db.getTask.QueryRow(k[:]))
			if err != nil {
				t.Fatal(err)
			}
			want.stored = want.asStored()
			sameRow(t, name, &want, got)
		}
		for _, c := range changes {
			write(c.name, c.change)
		}
		write("all", func(r *row) {
			for _, c := range changes {
				c.change(r)
			}
		})
	})
}

func sameRow(t *testing.T, name string, want, file *row) {
	t.Helper()
	if diff := cmp.Diff(want, file, cmp.AllowUnexported(row{}, stored{}, rare{}, indexed{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s: the file's row (-want +got):\n%s", name, diff)
	}
}
