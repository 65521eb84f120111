package taskdb

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"tasks/internal/task"
)

const (
	// maxBatch is how many operations share a commit at most.
	maxBatch = 512
	// maxCachedBytes bounds the rows that are kept in memory between commits: some
	// 20,000, if answers and errors are short.
	maxCachedBytes = 24 << 20
	// statuses is how many a task can have.
	statuses = 5
)

// writer is the one goroutine that changes the file.
type writer struct {
	guard *guard
	pool  *sql.DB
	conn  *sql.Conn
	stmts map[string]*sql.Stmt // by their text; the writer's goroutine alone

	incoming chan *operation
	closing  sync.RWMutex // held for writing while incoming is closed
	closed   bool
	stopped  chan struct{}

	rows      map[key]*row // as the file has them, most of them live: a cache
	cached    int          // the bytes that they take
	postponed batch        // to the next transaction
	live      atomic.Int64 // how many rows of the file are live
	// counts are how many there are of each status, in the order of task.Statuses.
	counts [statuses]atomic.Int64
}

// operation is a change that a caller waits for.
type operation struct {
	// apply makes the change. An error of the domain (*task.Error) refuses this
	// operation alone, which must have changed nothing; any other fails the
	// transaction.
	apply     func(*tx) error
	after     *operation    // the early one before it in its chain: if that has failed, this one is not applied
	applied   chan struct{} // of an early one, whose caller goes on when it is applied: closed then
	changed   *row          // as it has left the row: one at most, if it is early
	err       error
	committed []func()      // called after the commit
	failed    []func()      // called if the transaction fails
	done      chan struct{} // closed when it is committed or has failed
}

func newWriter(path string, g *guard) (_ *writer, err error) {
	w := &writer{
		guard:     g,
		stmts:     map[string]*sql.Stmt{},
		incoming:  make(chan *operation, maxBatch),
		stopped:   make(chan struct{}),
		rows:      map[key]*row{},
		postponed: newBatch(),
	}
	if w.pool, err = open(path); err != nil {
		return nil, err
	}
	if w.conn, err = w.pool.Conn(context.Background()); err != nil {
		return nil, errors.Join(err, w.pool.Close())
	}
	if err := w.count(); err != nil {
		return nil, errors.Join(unavailable("read", err), w.conn.Close(), w.pool.Close())
	}
	go w.run()
	return w, nil
}

// version returns a number that changes when another connection writes to the file.
func (w *writer) version() (v int64, err error) {
	err = w.conn.QueryRowContext(context.Background(), `PRAGMA data_version`).Scan(&v)
	return v, err
}

// count counts what is in the file. Only the live rows are read: how many others
// there are the indexes tell.
func (w *writer) count() error {
	var all, live, open, dead int64
	err := w.conn.QueryRowContext(context.Background(), `SELECT (SELECT count(*) FROM tasks), (SELECT count(*) FROM tasks WHERE dead = 1)`).Scan(&all, &dead)
	if err != nil {
		return err
	}
	rows, err := w.conn.QueryContext(context.Background(), `SELECT status, count(*) FROM tasks WHERE live = 1 GROUP BY status`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var status task.Status
		var n int64
		if err := rows.Scan(&status, &n); err != nil {
			return err
		}
		live += n
		if status.Open() {
			w.counts[place(status)].Store(n)
			open += n
		}
	}
	w.live.Store(live)
	w.counts[place(task.DLQ)].Store(dead)
	w.counts[place(task.Processed)].Store(all - dead - open)
	return rows.Err()
}

// place returns a status's place in counts.
func place(s task.Status) int { return slices.Index(task.Statuses, s) }

// do applies a change and returns when it is on disk; an early one in a chain when
// it is applied. ctx bounds the wait for the writer, not the write: once begun, its
// outcome is waited for.
func (w *writer) do(ctx context.Context, early bool, apply func(*tx) error) error {
	op := &operation{apply: apply, done: make(chan struct{})}
	chain, _ := ctx.Value(chainKey{}).(*Chain)
	if chain != nil {
		op.after = chain.last.Load()
		if early {
			op.applied = make(chan struct{})
		}
	}
	if err := w.enqueue(ctx, op); err != nil {
		return err
	}
	select {
	case <-op.applied:
	case <-op.done:
	}
	select {
	case <-op.applied: // also if it is done by now: what follows finds out
		chain.last.Store(op)
		return nil
	default:
		return op.err
	}
}

func (w *writer) enqueue(ctx context.Context, op *operation) error {
	w.closing.RLock()
	defer w.closing.RUnlock()
	if w.closed {
		return task.Errorf(task.Unavailable, "the database is closed")
	}
	if ctx.Err() != nil { // else the select might not look
		return task.Errorf(task.Unavailable, "wait for the database: %w", ctx.Err())
	}
	select {
	case w.incoming <- op:
		return nil
	case <-ctx.Done():
		return task.Errorf(task.Unavailable, "wait for the database: %w", ctx.Err())
	}
}

func (w *writer) close() error {
	w.closing.Lock()
	if !w.closed {
		w.closed = true
		close(w.incoming)
	}
	w.closing.Unlock()
	<-w.stopped
	var errs []error
	for _, s := range w.stmts {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, w.conn.Close(), w.pool.Close())...)
}

func (w *writer) run() {
	defer close(w.stopped)
	for op := range w.incoming {
		w.commit(op)
		for len(w.postponed.operations) > 0 {
			w.commit(nil)
		}
	}
}

// commit applies an operation, unless it is nil, and those that come meanwhile, in
// one transaction with those that were postponed, and answers their callers.
func (w *writer) commit(first *operation) {
	t := &tx{writer: w, batch: w.postponed}
	w.postponed = newBatch()
	err := t.apply(first)
	if err != nil {
		t.exec(`ROLLBACK`) // an error here means that SQLite has rolled back by itself
		for k := range t.changed {
			w.drop(k)
		}
		for _, k := range t.added {
			w.drop(k)
		}
	} else {
		t.postpone() // and the rest is what was written
		t.cache()
		t.live.Add(t.liveChange)
		for i, n := range t.counted {
			t.counts[i].Add(n)
		}
	}
	for _, op := range t.operations {
		if err != nil { // also of one that was refused: what it was refused for may not have come to be
			op.err = task.Errorf(task.Unavailable, "write to the database: %w", err)
			for _, f := range op.failed {
				f()
			}
		}
		if lost := op.lost(); lost != nil {
			op.err = lost
		}
		if op.err == nil {
			for _, f := range op.committed {
				f()
			}
		}
		close(op.done)
	}
}

// keep puts a row in the cache, where it must not change any more.
func (w *writer) keep(r *row) {
	w.drop(r.key)
	w.rows[r.key] = r
	w.cached += r.size()
}

// drop takes a row out of the cache, if it is there.
func (w *writer) drop(k key) {
	if r := w.rows[k]; r != nil {
		w.cached -= r.size()
		delete(w.rows, k)
	}
}

// exec runs a statement and returns how many rows it changed.
func (w *writer) exec(query string, args ...any) (int64, error) {
	s, err := w.stmt(query)
	if err != nil {
		return 0, err
	}
	result, err := s.Exec(args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// stmt returns the prepared statement of a query.
func (w *writer) stmt(query string) (*sql.Stmt, error) {
	if s := w.stmts[query]; s != nil {
		return s, nil
	}
	s, err := w.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	w.stmts[query] = s
	return s, nil
}
