package taskdb

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tasks/internal/task"
	"tasks/internal/task/tasktest"
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
				p := startPostponed(t, nil)
				claim := make(chan error, 1)
				if row.follows {
					go func() {
						_, _, err := p.db.Claim(p.chain.Fork().Context(context.Background()), task.ClaimRequest{
							Message: p.m, ExecutionID: "e", Token: "t", Now: task.At(time.Now()), Lease: time.Minute,
						})
						claim <- err
					}()
				} else {
					claim <- nil
				}
				next := inTransaction(p.db, func(*tx) error { return row.err })
				if e, err := p.db.Execution(context.Background(), p.m); !task.IsKind(err, task.NotFound) {
					t.Errorf("after the first transaction the file has %+v, %v", e, err)
				}
				p.goOn()
				<-next
				wait, claimed := p.chain.Wait(), <-claim
				if row.err == nil && (wait != nil || claimed != nil) {
					t.Errorf("got %v and %v, want both done", wait, claimed)
				}
				if row.err != nil && (!task.IsKind(wait, task.Unavailable) || !task.IsKind(claimed, task.Unavailable)) {
					t.Errorf("got %v and %v, want Unavailable", wait, claimed)
				}
				if _, err := p.db.Execution(context.Background(), p.m); task.IsKind(err, task.NotFound) != (row.err != nil) {
					t.Errorf("at last the file has %v", err)
				}
				if got := rowsWritten(t, p.db) - p.written; got != row.writes {
					t.Errorf("the row was written %d times, want %d", got, row.writes)
				}
			})
		})
	}
}

// A row that another operation of the transaction has seen, or that one of another row
// follows, is not left to the next one: what they are answered depends on it.
func TestSeenIsNotPostponed(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		see  func(*testing.T, *postponed) error
	}{
		{"by one that changes nothing", func(t *testing.T, p *postponed) error {
			started, err := p.db.StartExecution(context.Background(), Execution{Message: p.m, Status: task.ExecutionRunning})
			if started {
				t.Error("it was started twice")
			}
			return err
		}},
		{"by one that is refused", func(t *testing.T, p *postponed) error {
			_, queued, err := p.db.Redrive(context.Background(), p.m, task.At(time.Now()))
			if queued || !task.IsKind(err, task.Conflict) {
				t.Errorf("got %v, %v, want a conflict", queued, err)
			}
			return nil
		}},
		{"by one of the chain that changes something else", func(_ *testing.T, p *postponed) error {
			return p.db.DeadLetterQueue().Send(p.chain.Fork().Context(context.Background()), "a letter")
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := startPostponed(t, row.see)
				next := inTransaction(p.db, func(*tx) error { return errors.New("disk I/O error") })
				if _, err := p.db.Execution(context.Background(), p.m); err != nil {
					t.Errorf("after the first transaction: %v", err)
				}
				p.goOn()
				<-next
				if err := errors.Join(p.chain.Wait(), <-p.seen); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// postponed is an execution whose start is answered, and whose transaction has ended
// when goOn lets the next one begin.
type postponed struct {
	db      *DB
	m       task.Message
	chain   *Chain
	written int // rows, before
	seen    chan error
	goOn    func()
}

// startPostponed starts one, and then does see in the same transaction, if it is not
// nil.
func startPostponed(t *testing.T, see func(*testing.T, *postponed) error) *postponed {
	t.Helper()
	p := &postponed{db: openTest(t), chain: &Chain{}, seen: make(chan error, 1)}
	p.m = task.Message{TaskID: newTask(t, p.db), Run: 1}
	p.written = rowsWritten(t, p.db)

	// The first operation keeps the transaction open until all have come, and has the
	// next one begin when all that it is to have has come.
	all, come := make(chan struct{}), make(chan struct{})
	first := inTransaction(p.db, func(tx *tx) error {
		<-all
		tx.onCommit(func() { <-come })
		return nil
	})
	p.goOn = func() {
		close(come)
		<-first
	}
	start := make(chan error, 1)
	go func() {
		_, err := p.db.StartExecution(p.chain.Context(context.Background()), Execution{Message: p.m, Status: task.ExecutionRunning})
		start <- err
	}()
	synctest.Wait()
	if see != nil {
		// The second keeps it open again, between the start and what sees it.
		started := make(chan struct{})
		second := inTransaction(p.db, func(*tx) error { <-started; return nil })
		close(all)
		if err := <-start; err != nil {
			t.Fatal(err)
		}
		go func() { p.seen <- see(t, p) }()
		synctest.Wait()
		close(started)
		go func() { <-second }()
	} else {
		close(all)
		if err := <-start; err != nil {
			t.Fatal(err)
		}
	}
	synctest.Wait() // for the transaction's end
	return p
}

// While transactions fail, what a caller was told is in the file, and what is in memory
// is what is in the file.
func TestChainsWhileTransactionsFail(t *testing.T) {
	t.Parallel()
	const callers, tasksEach = 30, 20
	db := openTest(t)
	var all, failing sync.WaitGroup
	ended := make(chan struct{})
	failing.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-ended:
				return
			default:
			}
			db.writer.do(t.Context(), false, func(*tx) error {
				if rand.IntN(4) == 0 {
					return errors.New("disk I/O error")
				}
				return nil
			})
		}
	})
	var saved, lost atomic.Int64
	for range callers {
		all.Go(func() {
			for range tasksEach {
				told := live(t, db)
				told.check(t, db)
				if told.saved {
					saved.Add(1)
				} else {
					lost.Add(1)
				}
			}
		})
	}
	all.Wait()
	close(ended)
	failing.Wait()
	if saved.Load() == 0 || lost.Load() == 0 {
		t.Errorf("%d lived to their end and %d did not, want some of both", saved.Load(), lost.Load())
	}
	err := db.writer.do(t.Context(), false, func(tx *tx) error {
		var live, pending, processing, processed int64
		err := tx.conn.QueryRowContext(t.Context(), `SELECT total(live), total(status = 'PENDING'), total(status = 'PROCESSING'), total(status = 'PROCESSED') FROM tasks`).Scan(&live, &pending, &processing, &processed)
		if err != nil {
			return err
		}
		if got := tx.live.Load(); got != live {
			t.Errorf("counted %d live rows, the file has %d", got, live)
		}
		for status, want := range map[task.Status]int64{task.Pending: pending, task.Processing: processing, task.Processed: processed} {
			if got := tx.counts[place(status)].Load(); got != want {
				t.Errorf("counted %d %s, the file has %d", got, status, want)
			}
		}
		for k, r := range tx.rows {
			kept, err := scanRow(db.getTask.QueryRow(k[:]))
			if err != nil {
				return err
			}
			sameRow(t, "in memory", r, kept)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// told is what the caller of a task's operations was told.
type told struct {
	key                              key
	created, started, claimed, saved bool
}

// live does what is done for a task that succeeds at once, as long as all goes well.
func live(t *testing.T, db *DB) (told told) {
	id, err := task.NewID()
	if err != nil {
		t.Error(err)
		return told
	}
	told.key, _ = keyOf(id)
	m := task.Message{TaskID: id, Run: 1}
	if told.created = tasktest.Create(t.Context(), db, task.New(id, "x", time.Now())) == nil; !told.created {
		return told
	}
	chain := &Chain{}
	if _, err := db.StartExecution(chain.Context(t.Context()), Execution{Message: m, Status: task.ExecutionRunning}); err != nil {
		return told
	}
	attempt := chain.Fork()
	now := task.At(time.Now())
	outcome, _, err := db.Claim(attempt.Context(t.Context()), task.ClaimRequest{Message: m, ExecutionID: "e", Token: "t", Now: now, Lease: time.Minute})
	told.claimed = err == nil && outcome == task.ClaimRun
	told.started = chain.Wait() == nil
	if !told.claimed {
		return told
	}
	err = db.Finish(attempt.Context(t.Context()), task.FinishRequest{ID: id, Token: "t", Attempts: 1, Now: now, Retention: time.Hour})
	if err == nil {
		err = db.SaveExecution(attempt.Context(t.Context()), Execution{Message: m, Status: task.ExecutionSucceeded})
		told.saved = err == nil
	}
	return told
}

// check compares what was told with the file.
func (told told) check(t *testing.T, db *DB) {
	r, err := scanRow(db.getTask.QueryRow(told.key[:]))
	if !told.created {
		if !task.IsKind(err, task.NotFound) {
			t.Errorf("a task that was refused is there: %v", err)
		}
		return
	}
	if err != nil {
		t.Error(err)
		return
	}
	if started := r.execution != ""; started != told.started || told.claimed && !told.started {
		t.Errorf("its start is in the file: %v, and it was said to be so: %v, and its claim: %v", started, told.started, told.claimed)
	}
	if claimed := len(r.Attempts) == 1; claimed != told.claimed {
		t.Errorf("its claim is in the file: %v, and it was said to be so: %v", claimed, told.claimed)
	}
	if ended := r.execution == task.ExecutionSucceeded; ended != told.saved || ended && r.Status != task.Processed {
		t.Errorf("its end is in the file: %v, as %s, and it was said to be so: %v", ended, r.Status, told.saved)
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
