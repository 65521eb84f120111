package taskdb

import (
	"context"
	"time"

	"tasks/internal/task"
)

// removeStep is how many tasks one step of RemoveExpired looks at: few enough
// that whoever waits for the writer does not notice.
const removeStep = 200

// RemoveExpired removes the finished tasks that have expired, with their answers
// and executions, what was quarantined and idempotency keys, once they have
// expired, and counts that are older than retention. It returns how many tasks it has
// removed, also with an error: what was removed stays so, and the rest can be removed
// later.
//
// No task is taken to expire sooner than retention after it was created: that
// bounds what is looked at, without an index that each task would have to pay
// for. The space is used again for new tasks; the file does not shrink.
func (db *DB) RemoveExpired(ctx context.Context, now task.Time, retention time.Duration) (removed int, err error) {
	err = db.write(ctx, Operation{Name: "RemoveExpired"}, func(tx *tx) error {
		if _, err := tx.exec(`DELETE FROM quarantine WHERE expires_at <= ?`, now.Milli()); err != nil {
			return err
		}
		_, err := tx.exec(`DELETE FROM metrics WHERE minute < ?`, now.Plus(-retention).Unix()/60)
		return err
	})
	if err == nil {
		err = db.removeKeys(ctx, now)
	}
	for after, more := int64(0), true; more && err == nil; {
		var expired []expiredRow
		err = db.write(ctx, Operation{Name: "RemoveExpired"}, func(tx *tx) (err error) {
			if expired, after, more, err = tx.expired(after, now, retention); err != nil {
				return err
			}
			for _, r := range expired {
				if err := tx.remove(r); err != nil {
					return err
				}
				tx.onCommit(func() { db.queue.forget(r.key, r.run) })
			}
			return nil
		})
		if err == nil {
			removed += len(expired)
		}
	}
	return removed, err
}

type expiredRow struct {
	key    key
	run    int
	status task.Status
}

// expired returns the expired tasks among the next removeStep ones that were
// created after the row, the last row that it has looked at, and whether there
// are more to look at. A task that this transaction has changed is left for
// another time.
func (t *tx) expired(after int64, now task.Time, retention time.Duration) (expired []expiredRow, last int64, more bool, err error) {
	s, err := t.stmt(`SELECT rowid, id, run, status, created_at, expires_at, live FROM tasks WHERE rowid > ? ORDER BY rowid LIMIT ?`)
	if err != nil {
		return nil, 0, false, err
	}
	rows, err := s.Query(after, removeStep)
	if err != nil {
		return nil, 0, false, err
	}
	defer rows.Close()
	seen := 0
	for rows.Next() {
		var id []byte
		var r expiredRow
		var created, expires int64
		var live bool
		if err := rows.Scan(&last, &id, &r.run, &r.status, &created, &expires, &live); err != nil {
			return nil, 0, false, err
		}
		if created > now.Plus(-retention).Milli() && created <= now.Milli() {
			return expired, last, false, nil // rows are in the order of their creation, unless the clock was ahead
		}
		seen++
		r.key = key(id)
		if _, changed := t.changed[r.key]; !live && expires > 0 && expires <= now.Milli() && !changed {
			expired = append(expired, r)
		}
	}
	return expired, last, seen == removeStep, rows.Err()
}

func (t *tx) remove(r expiredRow) error {
	t.drop(r.key)
	if _, err := t.exec(`DELETE FROM answers WHERE id = ?`, r.key[:]); err != nil {
		return err
	}
	_, err := t.exec(`DELETE FROM tasks WHERE id = ?`, r.key[:])
	t.counted[place(r.status)]--
	return err
}
