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

// A row that an early operation alone has changed is left to the next transaction: it
// is written once with what follows, or without it, and lost with that transaction.
func TestPostponed(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		follows bool
		err     error // of another operation of the next transaction
		writes  int   // of the row
	}{
		{"is written with what follows", true, nil, 1},
		{"is written if nothing follows", false, nil, 1},
		{"is lost with the next transaction, and so is what follows", true, errors.New("disk I/O error"), 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				db := openTest(t)
				id := newTask(t, db)
				m := task.Message{TaskID: id, Run: 1}
				before := rowsWritten(t, db)

				// The next transaction does not begin until all that follows has come.
				started, come := make(chan struct{}), make(chan struct{})
				first := inTransaction(db, func(tx *tx) error {
					<-started
					tx.onCommit(func() { <-come })
					return nil
				})
				chain := &Chain{}
				start := make(chan error, 1)
				go func() {
					_, err := db.StartExecution(chain.Context(context.Background()), Execution{Message: m, Status: task.ExecutionRunning})
					start <- err
				}()
				synctest.Wait()
				close(started)
				synctest.Wait() // for the first transaction's end
				if err := <-start; err != nil {
					t.Fatal(err)
				}
				claim := make(chan error, 1)
				if row.follows {
					go func() {
						_, _, err := db.Claim(chain.Fork().Context(context.Background()), task.ClaimRequest{
							Message: m, ExecutionID: "e", Token: "t", Now: task.At(time.Now()), Lease: time.Minute,
						})
						claim <- err
					}()
				} else {
					claim <- nil
				}
				next := inTransaction(db, func(*tx) error { return row.err })
				if e, err := db.Execution(context.Background(), m); !task.IsKind(err, task.NotFound) {
					t.Errorf("after the first transaction the file has %+v, %v", e, err)
				}
				close(come)
				<-first
				<-next
				wait, claimed := chain.Wait(), <-claim
				if row.err == nil && (wait != nil || claimed != nil) {
					t.Errorf("got %v and %v, want both done", wait, claimed)
				}
				if row.err != nil && (!task.IsKind(wait, task.Unavailable) || !task.IsKind(claimed, task.Unavailable)) {
					t.Errorf("got %v and %v, want Unavailable", wait, claimed)
				}
				if _, err := db.Execution(context.Background(), m); task.IsKind(err, task.NotFound) != (row.err != nil) {
					t.Errorf("at last the file has %v", err)
				}
				if got := rowsWritten(t, db) - before; got != row.writes {
					t.Errorf("the row was written %d times, want %d", got, row.writes)
				}
			})
		})
	}
}

// rowsWritten returns how many rows the writer has written, in all.
func rowsWritten(t *testing.T, db *DB) (n int) {
	t.Helper()
	err := <-inTransaction(db, func(tx *tx) error {
		return tx.conn.QueryRowContext(context.Background(), `SELECT total_changes()`).Scan(&n)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
