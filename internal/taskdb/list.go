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

// candidates returns the query for the tasks, newest first, among which those of
// a status are.
func candidates(status task.Status) string {
	// Only the tasks that match have their answers read.
	const columns = `SELECT id, status, run, retries, created_at, updated_at, error_type, error_message,
		CASE WHEN ?1 IN ('', status) THEN coalesce(answer, (SELECT body FROM answers WHERE answers.id = tasks.id)) ELSE '' END
		FROM tasks WHERE `
	const page = `id < ?2 ORDER BY id DESC LIMIT ?3`
	switch {
	case status == task.DLQ:
		return columns + `dead = 1 AND ` + page
	case status.Open():
		return columns + `live = 1 AND ` + page
	default:
		return columns + page
	}
}

// List implements task.Store. Of a filtered listing it examines maxExamined
// tasks a page.
func (db *DB) List(ctx context.Context, q task.Query) (page task.Page, err error) {
	err = db.read(Operation{Name: "List"}, func() (err error) {
		page, err = db.list(ctx, q)
		return err
	})
	return page, err
}

func (db *DB) list(ctx context.Context, q task.Query) (page task.Page, err error) {
	before := newest
	if q.Before != "" {
		if before, err = keyOf(q.Before); err != nil {
			return page, err
		}
	}
	examine := q.Limit + 1
	if q.Status != "" {
		examine = max(maxExamined, examine)
	}
	rows, err := db.reader.QueryContext(ctx, candidates(q.Status), string(q.Status), before[:], examine)
	if err != nil {
		return page, err
	}
	defer rows.Close()
	bytes, examined := 0, 0
	var last task.ID // examined, and on the page if it matches
	for rows.Next() {
		t, err := scanListed(rows)
		if err != nil {
			return page, err
		}
		examined++
		if q.Status == "" || t.Status == q.Status {
			if len(page.Tasks) == q.Limit {
				page.Next = last
				return page, nil
			}
			if bytes += len(t.Answer); bytes > task.MaxPageBytes && len(page.Tasks) > 0 {
				page.Next = last
				return page, nil
			}
			page.Tasks = append(page.Tasks, t)
		}
		last = t.ID
	}
	if examined == examine {
		page.Next = last
	}
	return page, rows.Err()
}

func scanListed(rows *sql.Rows) (t task.Task, err error) {
	var id []byte
	var created, updated int64
	err = rows.Scan(&id, &t.Status, &t.Run, &t.Retries, &created, &updated, &t.ErrorType, &t.ErrorMessage, &t.Answer)
	if err != nil {
		return t, err
	}
	u, err := uuid.FromBytes(id)
	if err != nil {
		return t, err
	}
	t.ID = task.ID(u.String())
	t.CreatedAt, t.UpdatedAt = task.AtMilli(created), task.AtMilli(updated)
	return t, nil
}

const selectDue = `SELECT ` + rowColumns + ` FROM tasks
	WHERE live = 1 AND status IN ('PENDING', 'PROCESSING', 'FAILED') AND (next_check_at <= ? OR next_check_at > ?) ORDER BY id LIMIT ?`

// Due implements task.Store. A check that is further away than any is set for is
// due too: the machine's clock was set back.
func (db *DB) Due(ctx context.Context, now task.Time, limit int) (due []task.Task, err error) {
	err = db.read(Operation{Name: "Due"}, func() error {
		rows, err := db.reader.QueryContext(ctx, selectDue, now.Milli(), now.Plus(2*task.MaxCheckAfter).Milli(), limit)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			r, err := scanRow(rows)
			if err != nil {
				return err
			}
			r.Answer = ""
			due = append(due, r.Task)
		}
		return rows.Err()
	})
	return due, err
}
