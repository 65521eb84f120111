package taskdb

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tasks/internal/task"
)

// TestCounts compares what the writer counts with what is in the file.
func TestCounts(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tasks.db")
	db, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	var batch []task.Submission
	want := map[task.Status]int{task.Pending: 0, task.Processing: 0, task.Failed: 0, task.Processed: 0, task.DLQ: 0}
	check := func(when string) {
		t.Helper()
		got, err := db.Counts(t.Context())
		if open := want[task.Pending] + want[task.Processing] + want[task.Failed]; (open > 0) == got.OldestOpen.IsZero() || open > 0 && got.OldestOpen != batch[0].ID.Time() {
			t.Errorf("%s: the oldest open task is of %s", when, got.OldestOpen)
		}
		if diff := cmp.Diff(want, got.Tasks); diff != "" || err != nil || time.Since(got.AsOf.Time) > time.Hour {
			t.Errorf("%s, as of %s, %v (-want +got):\n%s", when, got.AsOf, err, diff)
		}
	}
	check("at first")
	now := task.At(time.Now())
	step := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	claim := func(id task.ID) {
		t.Helper()
		_, _, err := db.Claim(t.Context(), task.ClaimRequest{Message: task.Message{TaskID: id, Run: 1}, ExecutionID: "e", Token: "token", Now: now, Lease: time.Minute})
		step(err)
	}
	for range 10 {
		id, err := task.NewID()
		step(err)
		batch = append(batch, task.Submission{Task: task.New(id, "42", time.Now())})
	}
	for _, created := range db.Create(t.Context(), batch...) {
		step(created.Err)
	}
	for _, created := range db.Create(t.Context(), batch...) { // refused
		if !task.IsKind(created.Err, task.Conflict) {
			t.Errorf("got %v, want a conflict", created.Err)
		}
	}
	want[task.Pending] = 10
	check("created")
	for i, s := range batch[:7] {
		m := s.Message()
		if i < 4 {
			claim(s.ID)
		}
		switch i {
		case 0:
			want[task.Processing]++
		case 1:
			step(db.Finish(t.Context(), task.FinishRequest{ID: s.ID, Token: "token", Now: now, Err: &task.Failure{Type: "T", Message: "m"}}))
			want[task.Failed]++
		case 2: // its execution is running yet
			_, err := db.StartExecution(t.Context(), Execution{Message: m, Status: task.ExecutionRunning})
			step(err)
			fallthrough
		case 3:
			step(db.Finish(t.Context(), task.FinishRequest{ID: s.ID, Token: "token", Now: now, Retention: time.Hour}))
			want[task.Processed]++
		case 4, 5, 6:
			_, _, err := db.MarkDead(t.Context(), task.MarkRequest{DeadLetter: task.DeadLetter{Message: m}, Now: now, Retention: time.Hour})
			step(err)
			want[task.DLQ]++
		}
		want[task.Pending]--
	}
	_, _, err = db.Redrive(t.Context(), task.Message{TaskID: batch[4].ID}, now)
	step(err)
	want[task.DLQ]--
	want[task.Pending]++
	check("changed")
	step(db.Close())
	db, err = Open(path)
	step(err)
	defer db.Close()
	check("opened again")

	removed, err := db.RemoveExpired(t.Context(), now.Plus(2*time.Hour), time.Hour)
	if err != nil || removed != 3 { // 2 are in the DLQ; the processed one whose execution runs stays
		t.Errorf("removed %d, %v", removed, err)
	}
	want[task.DLQ], want[task.Processed] = 0, 1
	check("removed")
}
