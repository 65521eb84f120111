package taskdb

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tasks/internal/task"
	"tasks/internal/task/tasktest"
)

// changes are one of each column that an update writes.
var changes = []struct {
	column string
	change func(*row)
}{
	{"status", func(r *row) { r.Status = task.DLQ }},
	{"run", func(r *row) { r.Run = 7 }},
	{"retries", func(r *row) { r.Retries = 2 }},
	{"updated_at", func(r *row) { r.UpdatedAt = later }},
	{"next_check_at", func(r *row) { r.NextCheckAt = later }},
	{"checks", func(r *row) { r.Checks = 3 }},
	{"expires_at", func(r *row) { r.ExpiresAt = later }},
	{"lease_until", func(r *row) { r.LeaseUntil = later }},
	{"owner", func(r *row) { r.Owner = "token" }},
	{"execution_id", func(r *row) { r.ExecutionID = "arn" }},
	{"error_type", func(r *row) { r.ErrorType = "WorkerError" }},
	{"error_message", func(r *row) { r.ErrorMessage = "no" }},
	{"attempts", func(r *row) { r.Attempts = []task.Attempt{{Number: 1, Run: 1, StartedAt: later}} }},
	{"visible_at", func(r *row) { r.visibleAt = 0 }},
	{"receives", func(r *row) { r.receives = 2 }},
	{"execution", func(r *row) { r.execution = task.ExecutionRunning }},
	{"definition", func(r *row) { r.definition = 1 }},
	{"journal", func(r *row) { r.journal = []byte("{}") }},
	{"next_attempt_at", func(r *row) { r.NextAttemptAt = later }},
	{"live", func(r *row) { r.Status, r.execution = task.Processed, task.ExecutionSucceeded }},
}

var later = task.AtMilli(1_790_000_000_123)

// Whatever has changed in a row is in the file after it was written, alone or with all
// the rest.
func TestUpdateWritesWhatHasChanged(t *testing.T) {
	t.Parallel()
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
			write(c.column, c.change)
		}
		write("all", func(r *row) {
			for _, c := range changes {
				c.change(r)
			}
		})
	})
}

// A new row is read ahead as it is read alone, and no other one is taken for a new one.
func TestSelectNew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := openTest(t)
		second, err := task.NewID()
		if err != nil {
			t.Fatal(err)
		}
		record := task.New(second, strings.Repeat("x", maxInlineAnswer+1), time.Now())
		record.Labels = map[string]string{"team": "billing"}
		record.NextAttemptAt = record.CreatedAt.Plus(time.Minute)
		first := newTask(t, db)
		if err := tasktest.Create(t.Context(), db, record); err != nil {
			t.Fatal(err)
		}
		for _, id := range []task.ID{first, second} {
			k, err := keyOf(id)
			if err != nil {
				t.Fatal(err)
			}
			got, err := scanNew(db.reader.QueryRow(selectNew, k[:]))
			if err != nil {
				t.Fatal(err)
			}
			want, err := scanRow(db.getTask.QueryRow(k[:]))
			if err != nil {
				t.Fatal(err)
			}
			sameRow(t, string(id), want, got)
		}
		for _, c := range changes {
			k, err := keyOf(newTask(t, db))
			if err != nil {
				t.Fatal(err)
			}
			err = <-inTransaction(db, func(tx *tx) error {
				old, err := tx.row(k)
				if err == nil {
					changed := *old
					c.change(&changed)
					tx.put(&changed)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			got, err := scanNew(db.reader.QueryRow(selectNew, k[:]))
			if isNew := slices.Contains(strings.Split(newColumns, ", "), c.column); isNew != (err == nil) {
				t.Errorf("%s: got error %v, want the row to be taken for a new one: %v", c.column, err, isNew)
			}
			if err != nil {
				continue
			}
			want, err := scanRow(db.getTask.QueryRow(k[:]))
			if err != nil {
				t.Fatal(err)
			}
			sameRow(t, c.column, want, got)
		}
	})
}

// The column attempts is what encoding/json makes of every field of an attempt.
func TestMarshalAttempts(t *testing.T) {
	t.Parallel()
	full := task.Attempt{Number: 3, Run: 2, StartedAt: later, FinishedAt: later.Plus(time.Second), RetryCount: 4, ErrorType: "<E>", ErrorMessage: "\x00\n\"\xff\u2028", NotCounted: true}
	fields := reflect.ValueOf(&full).Elem()
	attempts := []task.Attempt{{}, full}
	for i := range fields.NumField() {
		if fields.Field(i).IsZero() {
			t.Errorf("%s is not set: the test is to set all", fields.Type().Field(i).Name)
		}
		one, allButOne := task.Attempt{}, full
		reflect.ValueOf(&one).Elem().Field(i).Set(fields.Field(i))
		reflect.ValueOf(&allButOne).Elem().Field(i).SetZero()
		attempts = append(attempts, one, allButOne)
	}
	want, err := json.Marshal(attempts)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), marshalAttempts(attempts)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func sameRow(t *testing.T, name string, want, file *row) {
	t.Helper()
	if diff := cmp.Diff(want, file, cmp.AllowUnexported(row{}, stored{}, rare{}, indexed{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s: the file's row (-want +got):\n%s", name, diff)
	}
}
