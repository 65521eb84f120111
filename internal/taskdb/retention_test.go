package taskdb

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tasks/internal/task"
	"tasks/internal/task/tasktest"
)

const week = 7 * 24 * time.Hour

// finish takes a task through its life, to PROCESSED or to the DLQ.
func finish(t *testing.T, db *DB, answer string, dead bool) task.ID {
	id, err := task.NewID()
	if err != nil {
		t.Fatal(err)
	}
	now := task.At(time.Now())
	record := task.New(id, answer, time.Now())
	m := record.Message()
	var errs [6]error
	errs[0] = db.Create(t.Context(), task.Submission{Task: record, Key: &task.IdempotencyKey{Name: string(id)}})[0].Err
	_, errs[1] = db.StartExecution(t.Context(), Execution{Message: m, Status: task.ExecutionRunning, Journal: []byte(strings.Repeat("x", 300))})
	if dead {
		_, _, errs[2] = db.MarkDead(t.Context(), task.MarkRequest{DeadLetter: task.DeadLetter{Message: m, Error: "WorkerError"}, Now: now, Retention: week})
	} else {
		_, _, errs[3] = db.Claim(t.Context(), task.ClaimRequest{Message: m, ExecutionID: "e", Token: "token", Now: now, Lease: time.Minute})
		errs[4] = db.Finish(t.Context(), task.FinishRequest{ID: id, Token: "token", Now: now, Retention: week})
	}
	errs[5] = db.SaveExecution(t.Context(), Execution{Message: m, Status: task.ExecutionSucceeded, Journal: []byte("x")})
	for i, err := range errs {
		if err != nil {
			t.Errorf("step %d: %v", i, err)
		}
	}
	return id
}

// TestTheFileStaysBounded runs a file for two simulated months, with as much
// work on each day and a retention of a week.
func TestTheFileStaysBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db, err := Open(filepath.Join(t.TempDir(), "tasks.db"))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		count := func(query string) (n int) {
			if err := db.reader.QueryRow(query).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		const days, perDay = 60, 100
		var afterTwoWeeks int
		for day := range days {
			var wg sync.WaitGroup
			for i := range perDay {
				wg.Go(func() { finish(t, db, strings.Repeat("x", 100+i%10*500), i%20 == 0) })
			}
			wg.Wait()
			if err := db.Metrics().Count(t.Context(), task.DeadLettered, 1); err != nil {
				t.Fatal(err)
			}
			err := db.Quarantine(t.Context(), task.Quarantined{MessageID: fmt.Sprint(day), Body: "?", ReceivedAt: task.At(time.Now()), ExpiresAt: task.At(time.Now().Add(week))})
			if err != nil {
				t.Fatal(err)
			}
			<-time.After(24 * time.Hour)
			removed, err := db.RemoveExpired(t.Context(), task.At(time.Now()), week)
			if err != nil {
				t.Fatal(err)
			}
			if want := perDay; day >= 6 && removed != want || day < 6 && removed != 0 {
				t.Fatalf("day %d: %d tasks removed, want %d from day 6 on", day, removed, want)
			}
			if day == 13 {
				afterTwoWeeks = count(`SELECT page_count FROM pragma_page_count`)
			}
		}
		if got := count(`SELECT page_count FROM pragma_page_count`); float64(got) > 1.1*float64(afterTwoWeeks) {
			t.Errorf("the file has %d pages after %d days, and had %d after 14", got, days, afterTwoWeeks)
		}
		for query, want := range map[string]int{
			`SELECT count(*) FROM tasks`:            6 * perDay,
			`SELECT count(*) FROM answers`:          6 * perDay * 8 / 10,
			`SELECT count(*) FROM idempotency_keys`: 0,
			`SELECT count(*) FROM quarantine`:       6,
			`SELECT count(*) FROM metrics`:          7,
		} {
			if got := count(query); got != want {
				t.Errorf("%s: got %d, want %d", query, got, want)
			}
		}
		if n := db.Queue().Len(); n != 0 {
			t.Errorf("%d messages are on the queue", n)
		}
	})
}

func TestWhatIsOpenOrRedrivenIsNotRemoved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db, err := Open(filepath.Join(t.TempDir(), "tasks.db"))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		open, err := task.NewID()
		if err != nil {
			t.Fatal(err)
		}
		if err := tasktest.Create(t.Context(), db, task.New(open, "42", time.Now())); err != nil {
			t.Fatal(err)
		}
		redriven, late, gone := finish(t, db, "42", true), finish(t, db, "42", true), finish(t, db, "42", true)
		<-time.After(week - time.Hour)
		for _, id := range []task.ID{redriven, late} {
			if _, _, err := db.Redrive(t.Context(), task.Message{TaskID: id}, task.At(time.Now())); err != nil {
				t.Fatal(err)
			}
		}
		_, _, err = db.MarkDead(t.Context(), task.MarkRequest{DeadLetter: task.DeadLetter{Message: task.Message{TaskID: late, Run: 2}, Error: "WorkerError"}, Now: task.At(time.Now()), Retention: week})
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Hour)
		if removed, err := db.RemoveExpired(t.Context(), task.At(time.Now()), week); removed != 1 || err != nil {
			t.Fatalf("got %d removed, %v, want 1", removed, err)
		}
		for id, want := range map[task.ID]task.Status{open: task.Pending, redriven: task.Pending, late: task.DLQ} {
			if got, err := db.Get(t.Context(), id); err != nil || got.Status != want {
				t.Errorf("got %s, %v, want %s", got.Status, err, want)
			}
		}
		if _, err := db.Get(t.Context(), gone); !task.IsKind(err, task.NotFound) {
			t.Errorf("got %v, want NotFound", err)
		}
		if _, _, err := db.Redrive(t.Context(), task.Message{TaskID: gone}, task.At(time.Now())); !task.IsKind(err, task.NotFound) {
			t.Errorf("redrive: got %v, want NotFound", err)
		}
	})
}

// A task that was created while the clock was ahead ends no search for those
// after it.
func TestATaskOfTheFutureKeepsNoneFromBeingRemoved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := openTest(t)
		id, err := task.NewID()
		if err != nil {
			t.Fatal(err)
		}
		if err := tasktest.Create(t.Context(), db, task.New(id, "x", time.Now().Add(52*week))); err != nil {
			t.Fatal(err)
		}
		finish(t, db, "x", false)
		<-time.After(week)
		if removed, err := db.RemoveExpired(t.Context(), task.At(time.Now()), week); removed != 1 || err != nil {
			t.Errorf("removed %d tasks, %v, want 1", removed, err)
		}
	})
}
