package taskdb

import (
	"context"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"tasks/internal/task"
	"tasks/internal/task/tasktest"
)

// fill puts n finished tasks into db, one in fifty of them dead, all with a
// record like that of a task which ran.
func fill(b *testing.B, db *DB, n int) {
	b.Helper()
	began := time.Now().Add(-time.Duration(n) * time.Millisecond)
	for i := 0; i < n; {
		err := db.writer.do(b.Context(), false, func(tx *tx) error {
			for end := min(i+10_000, n); i < end; i++ {
				now := task.At(began.Add(time.Duration(i) * time.Millisecond))
				k := key(uuid.Must(uuid.NewV7()))
				var ms [8]byte
				binary.BigEndian.PutUint64(ms[:], uint64(now.Milli()))
				copy(k[:6], ms[2:])
				r := &row{Task: task.New(task.ID(uuid.UUID(k).String()), "an answer of some forty characters, or so", now.Time), key: k}
				r.stored = r.asStored()
				if _, err := tx.exec(insertRow, r.insertArgs()...); err != nil {
					return err
				}
				tx.inserted(r)
				tx.drop(r.key) // it will not be live
				r.execution, r.definition, r.journal = task.ExecutionSucceeded, 1, make([]byte, 400)
				token := uuid.NewString()
				r.Claim(task.ClaimRequest{Message: r.Message(), ExecutionID: "arn:aws:states:local:000000000000:execution:TaskStateMachine:" + r.Message().ExecutionName(), Token: token, Now: now, Lease: time.Minute})
				if i%50 == 0 {
					r.MarkDead(task.MarkRequest{DeadLetter: task.DeadLetter{Message: r.Message(), Error: "WorkerError", Cause: "no luck"}, Now: now, Retention: time.Hour})
				} else if _, err := r.Finish(task.FinishRequest{ID: r.ID, Token: token, Now: now, Retention: time.Hour}); err != nil {
					return err
				}
				if err := tx.update(r); err != nil {
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

// BenchmarkRead shows that a page, the counts and a record cost the same in a small
// file and in a large one.
//
//	go test ./internal/taskdb -run '^$' -bench Read
func BenchmarkRead(b *testing.B) {
	for _, n := range []int{1_000, 100_000, 1_000_000} {
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
			{"PROCESSED", task.Query{Limit: 50, Filter: task.Filter{Status: task.Processed}}},
			{"DLQ", task.Query{Limit: 20, Filter: task.Filter{Status: task.DLQ}}},
			{"PENDING", task.Query{Limit: 50, Filter: task.Filter{Status: task.Pending}}},
		} {
			b.Run(fmt.Sprintf("list %s/tasks=%d", q.name, n), func(b *testing.B) {
				for b.Loop() {
					if _, err := db.List(b.Context(), q.query); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		b.Run(fmt.Sprintf("counts/tasks=%d", n), func(b *testing.B) {
			for b.Loop() {
				if _, err := db.Counts(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("get/tasks=%d", n), func(b *testing.B) {
			for b.Loop() {
				if _, err := db.Get(b.Context(), middle); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkBacklog measures what a task on the queue takes in memory, apart from
// the cache of rows, and how long it takes to open a file with so many.
//
//	go test ./internal/taskdb -run '^$' -bench Backlog -benchtime 300000x
func BenchmarkBacklog(b *testing.B) {
	path := filepath.Join(b.TempDir(), "tasks.db")
	db, err := Open(path)
	if err != nil {
		b.Fatal(err)
	}
	var clients sync.WaitGroup
	const at = 256 // once
	for c := range at {
		clients.Go(func() {
			for i := c; i < b.N; i += at {
				id, err := task.NewID()
				if err == nil {
					err = tasktest.Create(context.Background(), db, task.New(id, "forty-two", time.Now()))
				}
				if err != nil {
					b.Error(err)
				}
			}
		})
	}
	clients.Wait()
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
	db = nil
	heap := func() int {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	before, began := heap(), time.Now()
	if db, err = Open(path); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(time.Since(began).Seconds(), "s-to-open")
	b.ReportMetric(float64(heap()-before)/float64(b.N), "heap-B/task")
	if db.Backlog() != b.N || db.Queue().Len() != b.N {
		b.Errorf("got a backlog of %d and %d on the queue, want %d", db.Backlog(), db.Queue().Len(), b.N)
	}
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
}
