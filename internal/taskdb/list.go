package taskdb

import (
	"context"
	"database/sql"

	"github.com/google/uuid"

	"tasks/internal/task"
)

// maxExamined bounds the tasks that one page of a filtered listing looks at.
const maxExamined = 1000

// newest is after every id.
var newest = key{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// candidates returns the query for the ids, newest first, among which the tasks
// of a status are.
func candidates(status task.Status) string {
	switch {
	case status == task.DLQ:
		return `SELECT id, status FROM tasks WHERE status = 'DLQ' AND id < ? ORDER BY id DESC LIMIT ?`
	case status.Open():
		return `SELECT id, status FROM tasks WHERE ` + liveRows + ` AND id < ? ORDER BY id DESC LIMIT ?`
	default:
		return `SELECT id, status FROM tasks WHERE id < ? ORDER BY id DESC LIMIT ?`
	}
}

// List implements task.Store. Of a filtered listing it examines maxExamined
// tasks a page.
func (db *DB) List(ctx context.Context, q task.Query) (page task.Page, err error) {
	before := newest
	if q.Before != "" {
		if before, err = keyOf(q.Before); err != nil {
			return page, err
		}
	}
	ids, next, err := db.listIDs(ctx, q, before)
	if err != nil {
		return page, unavailable("read", err)
	}
	bytes := 0
	for i, k := range ids {
		t, err := db.Get(ctx, task.ID(uuid.UUID(k).String()))
		if task.IsKind(err, task.NotFound) {
			continue // removed since
		}
		if err != nil {
			return page, err
		}
		if bytes += len(t.Answer); bytes > task.MaxPageBytes && i > 0 {
			next = ids[i-1]
			break
		}
		t.Attempts = nil
		page.Tasks = append(page.Tasks, t)
	}
	if next != (key{}) {
		page.Next = task.ID(uuid.UUID(next).String())
	}
	return page, nil
}

// listIDs returns the ids of a page and, if there may be more, the id after
// which to go on.
func (db *DB) listIDs(ctx context.Context, q task.Query, before key) (ids []key, next key, err error) {
	examine := q.Limit + 1
	if q.Status != "" {
		examine = max(maxExamined, examine)
	}
	rows, err := db.reader.QueryContext(ctx, candidates(q.Status), before[:], examine)
	if err != nil {
		return nil, next, err
	}
	defer rows.Close()
	var last key
	examined := 0
	for rows.Next() {
		var id sql.RawBytes
		var status task.Status
		if err := rows.Scan(&id, &status); err != nil {
			return nil, next, err
		}
		if q.Status == "" || q.Status == status {
			if len(ids) == q.Limit {
				return ids, last, nil
			}
			ids = append(ids, key(id))
		}
		last = key(id)
		examined++
	}
	if examined == examine {
		next = last
	}
	return ids, next, rows.Err()
}

const selectDue = `SELECT ` + rowColumns + ` FROM tasks
	WHERE ` + liveRows + ` AND status IN ('PENDING', 'PROCESSING', 'FAILED') AND next_check_at <= ? ORDER BY id LIMIT ?`

// Due implements task.Store.
func (db *DB) Due(ctx context.Context, now task.Time, limit int) ([]task.Task, error) {
	rows, err := db.reader.QueryContext(ctx, selectDue, now.Milli(), limit)
	if err != nil {
		return nil, unavailable("read", err)
	}
	defer rows.Close()
	var due []task.Task
	for rows.Next() {
		r, err := scanRow(rows)
		if err != nil {
			return nil, unavailable("read", err)
		}
		r.Answer = ""
		due = append(due, r.Task)
	}
	return due, unavailable("read", rows.Err())
}
