package taskdb

import (
	"context"
	"database/sql"
	"errors"

	"tasks/internal/task"
)

var _ task.Store = (*DB)(nil)

// Create implements task.Store. All are created in one transaction, each with its
// message on the queue.
func (db *DB) Create(ctx context.Context, submissions ...task.Submission) []task.Created {
	created := make([]task.Created, len(submissions))
	op := Operation{Name: "Create", Task: submissions[0].ID}
	for _, s := range submissions[1:] {
		op.More = append(op.More, s.ID)
	}
	err := db.write(ctx, op, func(tx *tx) (err error) {
		for i, s := range submissions {
			if created[i], err = db.create(tx, s); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		for i := range created {
			created[i] = task.Created{Err: err}
		}
	}
	return created
}

// create adds a new task, unless its key is held. An error is one that fails the
// transaction.
func (db *DB) create(tx *tx, s task.Submission) (task.Created, error) {
	k, err := keyOf(s.ID)
	var holder task.ID
	if err == nil && s.Key != nil {
		holder, err = tx.holder(*s.Key, s.CreatedAt)
	}
	if err == nil && holder == "" {
		if err = db.insert(tx, k, s.Task); err == nil && s.Key != nil {
			err = tx.hold(*s.Key, k, s.CreatedAt)
		}
		holder = s.ID
	}
	if refused, ok := errors.AsType[*task.Error](err); ok {
		return task.Created{Err: refused}, nil
	}
	return task.Created{ID: holder, Queued: true}, err
}

// insert adds the row of a new task.
func (db *DB) insert(tx *tx, k key, t task.Task) error {
	r := &row{Task: t, key: k, largeAnswer: len(t.Answer) > maxInlineAnswer}
	r.beginRun(db.clock.now() + t.Outgoing(t.CreatedAt).Delay.Milliseconds())
	if r.largeAnswer {
		r.Answer = ""
	}
	r.stored = r.asStored()
	inserted, err := tx.exec(insertRow, r.insertArgs()...)
	if err == nil && inserted == 0 {
		err = task.Errorf(task.Conflict, "task %s exists already", t.ID)
	}
	if err != nil {
		return err
	}
	if r.largeAnswer {
		if _, err := tx.exec(`INSERT INTO answers (id, body) VALUES (?, ?)`, k[:], t.Answer); err != nil {
			return err
		}
	}
	tx.inserted(r)
	db.queue.pushNew(tx, r)
	return nil
}

// Get implements task.Store.
func (db *DB) Get(ctx context.Context, id task.ID) (task.Task, error) {
	k, err := keyOf(id)
	if err != nil {
		return task.Task{}, err
	}
	var t task.Task
	err = db.read(Operation{Name: "Get", Task: id}, func() error {
		r, err := scanRow(db.getTask.QueryRowContext(ctx, k[:]))
		if task.IsKind(err, task.NotFound) {
			return notFound(id)
		}
		if err != nil {
			return err
		}
		t = r.Task
		if !r.largeAnswer {
			return nil
		}
		t.Answer, err = scanAnswer(id, db.reader.QueryRowContext(ctx, selectAnswer, k[:]))
		return err
	})
	return t, err
}

const selectAnswer = `SELECT body FROM answers WHERE id = ?`

// scanAnswer reads a large answer. The error is of kind Damaged if it is not there.
func scanAnswer(id task.ID, row *sql.Row) (answer string, err error) {
	if err = row.Scan(&answer); errors.Is(err, sql.ErrNoRows) {
		err = task.Errorf(task.Damaged, "the answer of task %s is missing: restore the file from a copy", id)
	}
	return answer, err
}

// Claim implements task.Store. A large answer is read before the claim is made:
// one that can't be read opens no attempt.
func (db *DB) Claim(ctx context.Context, r task.ClaimRequest) (outcome task.ClaimOutcome, t task.Task, err error) {
	err = db.change(ctx, Operation{Name: "Claim", Task: r.TaskID}, func(tx *tx, changed *row) (bool, error) {
		outcome = changed.Claim(r)
		t = changed.Task
		if outcome == task.ClaimRun && changed.largeAnswer {
			s, err := tx.stmt(selectAnswer)
			if err != nil {
				return false, err
			}
			if t.Answer, err = scanAnswer(t.ID, s.QueryRow(changed.key[:])); err != nil {
				return false, err
			}
		}
		return outcome == task.ClaimRun || outcome == task.ClaimExhausted, nil
	})
	return outcome, t, err
}

// Finish implements task.Store. In a Chain it returns when it is applied.
func (db *DB) Finish(ctx context.Context, r task.FinishRequest) error {
	return db.change(ctx, Operation{Name: "Finish", Task: r.ID, early: true}, func(_ *tx, changed *row) (bool, error) { return changed.Finish(r) })
}

// MarkDead implements task.Store.
func (db *DB) MarkDead(ctx context.Context, r task.MarkRequest) (outcome task.MarkOutcome, t task.Task, err error) {
	err = db.change(ctx, Operation{Name: "MarkDead", Task: r.TaskID}, func(_ *tx, changed *row) (bool, error) {
		outcome = changed.MarkDead(r)
		changed.visibleAt = 0 // one that was never started has its message on the queue
		t = changed.Task
		t.Answer = ""
		return outcome == task.Marked, nil
	})
	if task.IsKind(err, task.NotFound) {
		return task.Stale, task.Task{}, nil
	}
	return outcome, t, err
}

// Redrive implements task.Store. The task's message is on the queue with it.
func (db *DB) Redrive(ctx context.Context, m task.Message, now task.Time) (task.Task, bool, error) {
	return db.newRun(ctx, Operation{Name: "Redrive", Task: m.TaskID}, func(t *task.Task) error { return t.Redrive(m.Run, now) })
}

// Restart implements task.Store. The task's message is on the queue with it.
func (db *DB) Restart(ctx context.Context, m task.Message, now task.Time) (task.Task, bool, error) {
	return db.newRun(ctx, Operation{Name: "Restart", Task: m.TaskID}, func(t *task.Task) error { return t.Restart(m.Run, now) })
}

func (db *DB) newRun(ctx context.Context, op Operation, transition func(*task.Task) error) (t task.Task, queued bool, err error) {
	err = db.change(ctx, op, func(tx *tx, changed *row) (bool, error) {
		if err := transition(&changed.Task); err != nil {
			return false, err
		}
		changed.beginRun(db.clock.now())
		db.queue.pushOnCommit(tx, changed)
		t = changed.Task
		return true, nil
	})
	return t, err == nil, err
}

// Defer implements task.Store.
func (db *DB) Defer(ctx context.Context, m task.Message, now task.Time) error {
	return db.change(ctx, Operation{Name: "Defer", Task: m.TaskID}, func(_ *tx, changed *row) (bool, error) { return changed.Defer(m.Run, now), nil })
}

// Quarantine implements task.Store.
func (db *DB) Quarantine(ctx context.Context, m task.Quarantined) error {
	return db.write(ctx, Operation{Name: "Quarantine"}, func(tx *tx) error {
		_, err := tx.exec(`INSERT INTO quarantine (message_id, body, received_at, expires_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`,
			m.MessageID, m.Body, m.ReceivedAt.Milli(), m.ExpiresAt.Milli())
		return err
	})
}

// change applies a transition to a copy of a task's row, which is written if
// the transition says that it changed it.
func (db *DB) change(ctx context.Context, op Operation, transition func(*tx, *row) (changed bool, err error)) error {
	k, err := keyOf(op.Task)
	if err != nil {
		return err
	}
	return db.write(ctx, op, func(tx *tx) error {
		if op.ahead {
			if err := tx.readAhead(k); err != nil {
				return err
			}
		}
		old, err := tx.row(k)
		if err != nil {
			return err
		}
		r := *old
		changed, err := transition(tx, &r)
		if changed && err == nil {
			tx.put(&r)
		}
		return err
	})
}
