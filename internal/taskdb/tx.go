package taskdb

import (
	"errors"
	"runtime"
	"slices"

	"tasks/internal/task"
)

// batch are the operations of a transaction and the rows that they have changed.
type batch struct {
	operations []*operation
	changed    map[key]change
}

func newBatch() batch { return batch{changed: map[key]change{}} }

// change is a row to write.
type change struct {
	*row
	// canWait: an early operation of this transaction has changed it, and no other has
	// seen that. What follows comes soon, and then both are one write.
	canWait bool
}

// tx is a transaction of the writer. Its methods are for its goroutine alone.
type tx struct {
	*writer
	batch
	op    *operation // the one that is being applied
	added []key      // rows inserted, which the cache has already
	// liveChange is how many rows become live, less those that are no longer.
	liveChange int64
	// counted are the changes of counts.
	counted [statuses]int64
}

// apply applies an operation, unless it is nil, those that come meanwhile, and
// commits.
func (t *tx) apply(first *operation) error {
	if first != nil {
		t.operations = append(t.operations, first)
	}
	if err := t.guard.check(); err != nil {
		return err
	}
	if _, err := t.exec(`BEGIN IMMEDIATE`); err != nil {
		return err
	}
	if first == nil {
		first = t.next()
	}
	for op := first; op != nil; op = t.next() {
		t.op = op
		if op.after != nil && op.after.changed != nil {
			t.seen(op.after.changed.key)
		}
		err := op.lost()
		if err == nil {
			err = op.apply(t)
		}
		var refused *task.Error
		if errors.As(err, &refused) {
			op.err, op.committed = err, nil
		} else if err != nil {
			return err
		} else if op.applied != nil {
			close(op.applied)
		}
	}
	for _, c := range t.changed {
		if c.canWait {
			continue
		}
		if err := t.update(c.row); err != nil {
			return err
		}
	}
	_, err := t.exec(`COMMIT`)
	return err
}

// postpone leaves to the next transaction the rows that can wait, and the operations
// that have changed them.
func (t *tx) postpone() {
	t.operations = slices.DeleteFunc(t.operations, func(op *operation) bool {
		if op.changed == nil || !t.changed[op.changed.key].canWait {
			return false
		}
		t.postponed.operations = append(t.postponed.operations, op)
		t.postponed.changed[op.changed.key] = change{row: op.changed}
		delete(t.changed, op.changed.key)
		return true
	})
}

// seen has a row written with this transaction if it was changed: whatever another
// operation makes of it, there must be no other transaction that it depends on.
func (t *tx) seen(k key) {
	if c := t.changed[k]; c.canWait {
		t.changed[k] = change{row: c.row}
	}
}

// next adds an operation that has come to the transaction and returns it, nil if
// there is none. Goroutines that could run first do: they may be about to send one,
// and a commit takes as long as many operations.
func (t *tx) next() *operation {
	for yielded := false; len(t.operations) < maxBatch; yielded = true {
		select {
		case op, ok := <-t.incoming:
			if ok {
				t.operations = append(t.operations, op)
				return op
			}
			return nil
		default:
		}
		if yielded {
			return nil
		}
		runtime.Gosched()
	}
	return nil
}

// onCommit has f called after the commit, before the caller is answered.
func (t *tx) onCommit(f func()) { t.op.committed = append(t.op.committed, f) }

// onFailure has f called if the transaction fails, before a caller is answered.
func (t *tx) onFailure(f func()) { t.op.failed = append(t.op.failed, f) }

// row returns the row of a task, for reading: change a copy and put that. The
// error is of kind NotFound if there is none.
func (t *tx) row(k key) (*row, error) {
	if c, ok := t.changed[k]; ok {
		t.seen(k)
		return c.row, nil
	}
	if r := t.rows[k]; r != nil {
		return r, nil
	}
	s, err := t.stmt(selectRow)
	if err != nil {
		return nil, err
	}
	r, err := scanRow(s.QueryRow(k[:]))
	if err != nil {
		return nil, err
	}
	t.keep(r)
	return r, nil
}

// readAhead reads the row of a live task that is not in memory, and those of the live
// tasks after it: who takes tasks from the queue asks for most of them next. One that
// is damaged is for who asks for it.
func (t *tx) readAhead(k key) error {
	if t.has(k) {
		return nil
	}
	if err := t.readLive(k, selectNew, scanNew); err != nil || t.has(k) {
		return err
	}
	return t.readLive(k, selectAhead, scanRow)
}

// has tells whether a row is in memory.
func (t *tx) has(k key) bool {
	_, changed := t.changed[k]
	return changed || t.rows[k] != nil
}

// readLive reads rows with one of the statements that read ahead.
func (t *tx) readLive(k key, query string, scan func(scanner) (*row, error)) error {
	s, err := t.stmt(query)
	if err != nil {
		return err
	}
	rows, err := s.Query(k[:])
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		r, err := scan(rows)
		if err != nil {
			return nil // row says so, to who asks for it
		}
		if t.rows[r.key] == nil { // else the file may be behind, as it may if it is in changed, where row looks first
			t.keep(r)
		}
	}
	return rows.Err()
}

// put has r written with the transaction, or with the next one.
func (t *tx) put(r *row) {
	_, again := t.changed[r.key]
	t.changed[r.key] = change{row: r, canWait: t.op.applied != nil && !again}
	t.op.changed = r
}

// update writes a row that was put.
func (t *tx) update(r *row) error {
	query, args := r.update()
	before, now := r.stored, r.asStored()
	t.counted[place(before.status)]--
	t.counted[place(now.status)]++
	switch {
	case now.indexed.live && !before.indexed.live:
		t.liveChange++
	case !now.indexed.live && before.indexed.live:
		t.liveChange--
	}
	r.stored = now
	_, err := t.exec(query, args...)
	return err
}

// inserted keeps in memory a row that the transaction has inserted.
func (t *tx) inserted(r *row) {
	t.keep(r)
	t.added = append(t.added, r.key)
	t.counted[place(r.Status)]++
	if r.stored.indexed.live {
		t.liveChange++
	}
}

// cache keeps the live rows that were written.
func (t *tx) cache() {
	for k, c := range t.changed {
		if c.stored.indexed.live {
			t.keep(c.row)
		} else {
			t.drop(k)
		}
	}
	for k := range t.rows {
		if t.cached <= maxCachedBytes {
			break
		}
		t.drop(k) // the file has it
	}
}
