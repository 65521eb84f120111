package taskdb

import (
	"context"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"tasks/internal/task"
	"tasks/internal/task/tasktest"
)

func openTest(t *testing.T) *DB {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "tasks.db"))
}

func openAt(t *testing.T, path string) *DB {
	t.Helper()
	db, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestStore(t *testing.T) {
	t.Parallel()
	tasktest.ExerciseStore(t, func(t *testing.T) task.Store { return openTest(t) })
}

func TestQueue(t *testing.T) {
	t.Parallel()
	tasktest.ExerciseQueue(t, func(t *testing.T) tasktest.QueueUnderTest {
		db := openTest(t)
		receive := func() (bodies []string) {
			for {
				batch, _ := db.Queue().take(10)
				if len(batch) == 0 {
					return bodies
				}
				for _, r := range batch {
					bodies = append(bodies, r.Body)
					if err := db.Queue().Delete(context.Background(), r); err != nil {
						t.Error(err)
					}
				}
			}
		}
		return tasktest.QueueUnderTest{Queue: db.Queue(), Receive: receive, Prepare: func(t *testing.T, m task.Message) {
			create(t, db, m.TaskID)
			receive()
		}}
	})
}

func TestDeadLetterQueue(t *testing.T) {
	t.Parallel()
	tasktest.ExerciseDeadLetterQueue(t, func(t *testing.T) (task.DeadLetterQueue, func() []string) {
		db := openTest(t)
		return db.DeadLetterQueue(), func() (bodies []string) {
			batch, _, err := db.DeadLetterQueue().take(context.Background(), 10, time.Minute)
			if err != nil {
				t.Error(err)
			}
			for _, r := range batch {
				bodies = append(bodies, r.Body)
			}
			return bodies
		}
	})
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	tasktest.ExerciseMetrics(t, func(t *testing.T) (task.Metrics, func(task.Metric) int) {
		db := openTest(t)
		return db.Metrics(), func(m task.Metric) int {
			sum, err := db.Metrics().Sum(context.Background(), m, time.Now().Add(-time.Hour))
			if err != nil {
				t.Error(err)
			}
			return sum
		}
	})
}

// newTask creates a task that was accepted now.
func newTask(t *testing.T, db *DB) task.ID {
	t.Helper()
	id, err := task.NewID()
	if err != nil {
		t.Fatal(err)
	}
	create(t, db, id)
	return id
}

// inTransaction has the writer apply f, in a synctest bubble, and returns when it
// waits: f may keep the transaction open for what comes after it.
func inTransaction(db *DB, f func(*tx) error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- db.writer.do(context.Background(), false, f) }()
	synctest.Wait()
	return done
}

// create creates the task of an id, accepted now.
func create(t *testing.T, db *DB, id task.ID) {
	t.Helper()
	if err := tasktest.Create(t.Context(), db, task.New(id, "an answer", time.Now())); err != nil {
		t.Fatal(err)
	}
}
