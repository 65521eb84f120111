package taskdb

import (
	"bytes"
	"context"
	"database/sql"
	"errors"

	"github.com/google/uuid"

	"tasks/internal/task"
)

// holder returns the task that was created with a key, or "" if the key is free at
// that time. The error is of kind KeyReused if it was created for another request.
func (t *tx) holder(k task.IdempotencyKey, now task.Time) (task.ID, error) {
	s, err := t.stmt(`SELECT task_id, request FROM idempotency_keys WHERE digest = ? AND expires_at > ?`)
	if err != nil {
		return "", err
	}
	var id uuid.UUID
	var request []byte
	digest := k.Digest()
	switch err := s.QueryRow(digest[:], now.Milli()).Scan(&id, &request); {
	case errors.Is(err, sql.ErrNoRows):
		return "", nil
	case err != nil:
		return "", err
	case !bytes.Equal(request, k.Request[:]):
		return "", task.Errorf(task.KeyReused, "the idempotency key of task %s was used for another request", id)
	}
	return task.ID(id.String()), nil
}

// hold keeps a key, which is free, for a task that is created now.
func (t *tx) hold(k task.IdempotencyKey, id key, now task.Time) error {
	digest := k.Digest()
	_, err := t.exec(`REPLACE INTO idempotency_keys (digest, request, task_id, expires_at) VALUES (?, ?, ?, ?)`,
		digest[:], k.Request[:], id[:], now.Plus(task.KeyLife).Milli())
	return err
}

// removeKeys removes the idempotency keys that have expired, in small steps.
func (db *DB) removeKeys(ctx context.Context, now task.Time) error {
	for {
		var removed int64
		err := db.write(ctx, Operation{Name: "RemoveExpired"}, func(tx *tx) (err error) {
			removed, err = tx.exec(`DELETE FROM idempotency_keys WHERE (expires_at, digest) IN
				(SELECT expires_at, digest FROM idempotency_keys WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)`, now.Milli(), removeStep)
			return err
		})
		if err != nil || removed < removeStep {
			return err
		}
	}
}
