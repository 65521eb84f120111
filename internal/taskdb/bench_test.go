package taskdb

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"tasks/internal/task"
)

// fill puts n finished tasks into db, one in fifty of them dead, all with a
// record like that of a task which ran.
func fill(b *testing.B, db *DB, n int) {
	b.Helper()
	began := time.Now().Add(-time.Duration(n) * time.Millisecond)
	for i := 0; i < n; {
		err := db.writer.do(b.Context(), func(tx *tx) error {
			for end := min(i+10_000, n); i < end; i++ {
				now := task.At(began.Add(time.Duration(i) * time.Millisecond))
				k := key(uuid.Must(uuid.NewV7()))
				var ms [8]byte
				binary.BigEndian.PutUint64(ms[:], uint64(now.Milli()))
				copy(k[:6], ms[2:])
				r := &row{Task: task.New(task.ID(uuid.UUID(k).String()), "an answer of some forty characters, or so", now.Time), key: k, execution: task.ExecutionSucceeded, definition: 1}
				token := uuid.NewString()
				r.Claim(task.ClaimRequest{Message: r.Message(), ExecutionID: "arn:aws:states:local:000000000000:execution:TaskStateMachine:" + r.Message().ExecutionName(), Token: token, Now: now, Lease: time.Minute})
				if i%50 == 0 {
					r.DeadLetter(task.MarkRequest{DeadLetter: task.DeadLetter{Message: r.Message(), Error: "WorkerError", Cause: "no luck"}, Now: now, Retention: time.Hour})
				} else if _, err := r.Finish(task.FinishRequest{ID: r.ID, Token: token, Now: now, Retention: time.Hour}); err != nil {
					return err
				}
				r.journal, r.stored = make([]byte, 400), r.indexed()
				if _, err := tx.exec(insertRow, r.insertArgs()...); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRead shows that a page and a record cost the same in a small file
// and in a large one.
//
//	go test ./internal/taskdb -run '^$' -bench Read
func BenchmarkRead(b *testing.B) {
	for _, n := range []int{1_000, 200_000} {
		db, err := Open(filepath.Join(b.TempDir(), "tasks.db"))
		if err != nil {
			b.Fatal(err)
		}
		defer db.Close()
		fill(b, db, n)
		page, err := db.List(b.Context(), task.Query{Limit: 50})
		if err != nil || len(page.Tasks) != 50 {
			b.Fatalf("got %d tasks, %v", len(page.Tasks), err)
		}
		middle := page.Next
		for range 5 {
			page, err = db.List(b.Context(), task.Query{Limit: 50, Before: middle})
			if err != nil {
				b.Fatal(err)
			}
			middle = page.Next
		}
		for _, q := range []struct {
			name  string
			query task.Query
		}{
			{"newest", task.Query{Limit: 50}},
			{"later page", task.Query{Limit: 50, Before: middle}},
			{"PROCESSED", task.Query{Limit: 50, Status: task.Processed}},
			{"DLQ", task.Query{Limit: 20, Status: task.DLQ}},
			{"PENDING", task.Query{Limit: 50, Status: task.Pending}},
		} {
			b.Run(fmt.Sprintf("list %s/tasks=%d", q.name, n), func(b *testing.B) {
				for b.Loop() {
					if _, err := db.List(b.Context(), q.query); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		b.Run(fmt.Sprintf("get/tasks=%d", n), func(b *testing.B) {
			for b.Loop() {
				if _, err := db.Get(b.Context(), middle); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
