package taskdb

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
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

// The live tasks that come next are read with the one that is asked for, none that is in
// memory is replaced by what the file has, and one that is damaged harms no other.
func TestReadAhead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := openTest(t)
		keys := make([]key, 40)
		for i := range keys {
			k, err := keyOf(newTask(t, db))
			if err != nil {
				t.Fatal(err)
			}
			keys[i] = k
		}
		err := <-inTransaction(db, func(tx *tx) error {
			if _, err := tx.exec(`UPDATE tasks SET live = 0 WHERE id = ?`, keys[2][:]); err != nil {
				return err
			}
			clear(tx.rows)
			if err := tx.readAhead(keys[1]); err != nil {
				return err
			}
			got := slices.IndexFunc(keys, func(k key) bool { return tx.rows[k] != nil })
			if got != 1 || len(tx.rows) != 32 || tx.rows[keys[2]] != nil {
				t.Errorf("%d rows are in memory, the first is %d, the third is %v, want 32, 1 and none", len(tx.rows), got, tx.rows[keys[2]])
			}
			before := tx.rows[keys[1]]
			if err := tx.readAhead(keys[0]); err != nil {
				return err
			}
			if len(tx.rows) != 33 || tx.rows[keys[1]] != before {
				t.Errorf("%d rows are in memory, want 33, and the second to be what it was: %v", len(tx.rows), tx.rows[keys[1]] == before)
			}
			if _, err := tx.exec(`UPDATE tasks SET attempts = '[' WHERE id = ?`, keys[4][:]); err != nil {
				return err
			}
			clear(tx.rows)
			if err := tx.readAhead(keys[3]); err != nil {
				return err
			}
			if len(tx.rows) != 31 || tx.rows[keys[3]] == nil || tx.rows[keys[4]] != nil {
				t.Errorf("%d rows are in memory, want 31, and not the damaged one", len(tx.rows))
			}
			if _, err := tx.exec(`UPDATE tasks SET run = 2`); err != nil {
				return err
			}
			clear(tx.rows)
			if err := tx.readAhead(keys[3]); err != nil {
				return err
			}
			if len(tx.rows) != 1 || tx.rows[keys[3]] == nil {
				t.Errorf("%d rows are in memory, want the one before the damaged row", len(tx.rows))
			}
			clear(tx.rows)
			if err := tx.readAhead(keys[5]); err != nil {
				return err
			}
			if _, err := tx.row(keys[4]); !task.IsKind(err, task.Damaged) { // which fails no transaction
				t.Errorf("the damaged row: got %v, want an error of kind %s", err, task.Damaged)
			}
			if r := tx.rows[keys[5]]; len(tx.rows) != 32 || r == nil || r.Run != 2 {
				t.Errorf("%d rows of a second run are in memory, want 32", len(tx.rows))
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}
