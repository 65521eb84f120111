package taskdb

import (
	"context"
	"sync"
	"testing"
	"time"

	"tasks/internal/task"
	"tasks/internal/task/tasktest"
)

// The cache is bounded in bytes, whatever a row has in it.
func TestTheCacheIsBounded(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	const rows, journal = 400, 80 << 10 // more than the cache may take
	var all sync.WaitGroup
	for range rows {
		all.Go(func() {
			id, err := task.NewID()
			if err != nil {
				t.Error(err)
				return
			}
			record := task.New(id, "x", time.Now())
			err = tasktest.Create(context.Background(), db, record)
			if err == nil {
				_, err = db.StartExecution(context.Background(), Execution{Message: record.Message(), Status: task.ExecutionRunning, Journal: make([]byte, journal)})
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	finish(t, db, "x", false) // through the writer, which has done the rest by then
	sum := 0
	for _, r := range db.writer.rows {
		sum += r.size()
	}
	if got := db.writer.cached; got != sum || got > maxCachedBytes || got < maxCachedBytes-2*journal {
		t.Errorf("%d rows take %d bytes and are counted as %d, want no more than %d, and about that", len(db.writer.rows), sum, got, maxCachedBytes)
	}
}
