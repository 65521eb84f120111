package taskdb

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"tasks/internal/task"
)

func TestChain(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk I/O error")
	for _, row := range []struct {
		name string
		err  error // of another operation of the same transaction
	}{
		{"is on disk with what follows", nil},
		{"is lost with its transaction", broken},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				db := openTest(t)
				id := newTask(t, db)
				m := task.Message{TaskID: id, Run: 1}

				// The first operation keeps the transaction open until all have come.
				all := make(chan struct{})
				first := inTransaction(db, func(*tx) error { <-all; return nil })
				chain := &Chain{}
				started := make(chan error, 1)
				go func() {
					_, err := db.StartExecution(chain.Context(context.Background()), Execution{Message: m, Status: task.ExecutionRunning})
					started <- err
				}()
				synctest.Wait()
				last := inTransaction(db, func(*tx) error { return row.err })
				close(all)
				if err := <-started; err != nil {
					t.Fatal(err)
				}
				<-first
				<-last
				wait := chain.Wait()
				outcome, _, err := db.Claim(chain.Fork().Context(context.Background()), task.ClaimRequest{
					Message: m, ExecutionID: "e", Token: "t", Now: task.At(time.Now()), Lease: time.Minute,
				})
				if row.err == nil && (wait != nil || err != nil || outcome != task.ClaimRun) {
					t.Errorf("got %v, then %v, %v, want it to be done", wait, outcome, err)
				}
				if row.err != nil && (!task.IsKind(wait, task.Unavailable) || !errors.Is(err, ErrLost)) {
					t.Errorf("got %v, then %v, want Unavailable, then ErrLost", wait, err)
				}
				if now, err := db.Get(context.Background(), id); err != nil || (now.Status == task.Processing) != (row.err == nil) {
					t.Errorf("the task is %s, %v", now.Status, err)
				}
			})
		})
	}
}
