package taskdb

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"time"

	"tasks/internal/task"
)

// DeadLetterQueue is the dead letter queue, a table. Few tasks come here, so
// each operation on it is one of the file.
type DeadLetterQueue struct {
	db       *DB
	arrivals chan struct{} // holds one signal: a message may be there
}

func newDeadLetterQueue(db *DB) *DeadLetterQueue {
	q := &DeadLetterQueue{db: db, arrivals: make(chan struct{}, 1)}
	q.arrivals <- struct{}{} // what was there before
	return q
}

// load makes visible what the last host had in flight when it stopped.
func (q *DeadLetterQueue) load() error {
	return q.db.write(context.Background(), Operation{Name: "DeadLetterQueue.load"}, func(tx *tx) error {
		now := q.db.clock.now()
		_, err := tx.exec(`UPDATE dead_letters SET visible_at = ? WHERE visible_at > ?`, now, now)
		return err
	})
}

// DeadLetterQueue returns the dead letter queue.
func (db *DB) DeadLetterQueue() *DeadLetterQueue { return db.dead }

// Send implements task.DeadLetterQueue.
func (q *DeadLetterQueue) Send(ctx context.Context, body string) error {
	return q.db.write(ctx, Operation{Name: "DeadLetterQueue.Send"}, func(tx *tx) error { return q.insert(tx, body, q.db.clock.now()) })
}

func (q *DeadLetterQueue) insert(tx *tx, body string, sentAt int64) error {
	tx.onCommit(q.signal)
	_, err := tx.exec(`INSERT INTO dead_letters (body, sent_at, visible_at, receives) VALUES (?, ?, ?, 0)`, body, sentAt, q.db.clock.now())
	return err
}

func (q *DeadLetterQueue) signal() {
	select {
	case q.arrivals <- struct{}{}:
	default:
	}
}

// Receive waits for messages and returns up to max of them, which nobody else
// receives for the visibility timeout. It returns none when ctx is done.
func (q *DeadLetterQueue) Receive(ctx context.Context, max int, visibility time.Duration) ([]Received, error) {
	for {
		batch, next, err := q.take(ctx, max, visibility)
		if err != nil || len(batch) > 0 {
			return batch, err
		}
		if !q.db.wait(ctx, q.arrivals, next) {
			return nil, nil
		}
	}
}

// take returns up to max visible messages, or the time in ms of the next one,
// 0 for none.
func (q *DeadLetterQueue) take(ctx context.Context, max int, visibility time.Duration) (batch []Received, next int64, err error) {
	err = q.db.write(ctx, Operation{Name: "DeadLetterQueue.Receive"}, func(tx *tx) error {
		now := q.db.clock.now()
		s, err := tx.stmt(`UPDATE dead_letters SET visible_at = ?, receives = receives + 1
			WHERE id IN (SELECT id FROM dead_letters WHERE visible_at <= ? ORDER BY visible_at, id LIMIT ?) RETURNING id, body, sent_at, receives`)
		if err != nil {
			return err
		}
		rows, err := s.Query(now+visibility.Milliseconds(), now, max)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id, sentAt int64
			var r Received
			if err := rows.Scan(&id, &r.Body, &sentAt, &r.Receives); err != nil {
				return err
			}
			r.MessageID, r.SentAt = strconv.FormatInt(id, 10), task.AtMilli(sentAt)
			batch = append(batch, r)
		}
		if err := rows.Err(); err != nil || len(batch) > 0 {
			return err
		}
		var min sql.NullInt64
		if s, err = tx.stmt(`SELECT min(visible_at) FROM dead_letters`); err != nil {
			return err
		}
		err = s.QueryRow().Scan(&min)
		next = min.Int64
		return err
	})
	if len(batch) == max && err == nil {
		q.signal() // there may be more, for the next consumer
	}
	return batch, next, err
}

// Delete takes received messages off the queue.
func (q *DeadLetterQueue) Delete(ctx context.Context, received ...Received) error {
	return q.db.write(ctx, Operation{Name: "DeadLetterQueue.Delete"}, func(tx *tx) error {
		var errs []error
		for _, r := range received {
			_, err := tx.exec(`DELETE FROM dead_letters WHERE id = ?`, r.MessageID)
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	})
}
