package host

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"tasks/internal/task"
	"tasks/internal/task/tasktest"
	"tasks/internal/taskdb"
)

// TestTheClockIsSetBackWhileTheHostIsDown: each bubble begins on the same day, so
// a host that was two days into its own leaves times in the file that are two
// days ahead of the next one's clock. A clock that is set while the host runs is
// scripts/test-clock's.
func TestTheClockIsSetBackWhileTheHostIsDown(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tasks.db")
	failOnce := workerFunc(func(_ context.Context, t task.Task) error {
		if len(t.Attempts) == 1 {
			return errors.New("once")
		}
		return nil
	})
	var retried, givenBack, dead, queued task.ID
	synctest.Test(t, func(t *testing.T) {
		pass(48 * time.Hour)
		h := serveTest(t, path, failOnce)
		retried = h.submit("waits for its retry")
		pass(500 * time.Millisecond)
		h.want(retried, task.Failed, 1)
		h.kill()

		db, err := taskdb.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		create := func() (id task.ID) {
			id, err := task.NewID()
			if err == nil {
				err = tasktest.Create(t.Context(), db, task.New(id, "x", time.Now()))
			}
			if err != nil {
				t.Fatal(err)
			}
			return id
		}
		dead, givenBack = create(), create()
		for _, r := range db.Queue().Receive(t.Context(), 10) {
			if r.Body == (task.Message{TaskID: dead, Run: 1}).Body() {
				err = db.Queue().MoveToDeadLetters(t.Context(), r)
			} else {
				err = db.Queue().GiveBack(t.Context(), r, time.Now().Add(5*time.Minute))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		queued = create()
	})
	synctest.Test(t, func(t *testing.T) {
		second := serveTest(t, path, failOnce)
		defer second.shutdown()
		pass(time.Second)
		second.want(queued, task.Failed, 1)
		second.want(dead, task.DLQ, 0)
		second.want(retried, task.Failed, 1)
		pass(2 * time.Second)
		second.want(queued, task.Processed, 2)
		second.want(retried, task.Processed, 2)
		second.want(givenBack, task.Processed, 2)
	})
}
