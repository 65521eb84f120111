package taskdb

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"tasks/internal/task"
)

// maxExamined bounds the tasks that one page of a filtered listing looks at.
const maxExamined = 1000

// newest is after every id.
var newest = key{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// candidates returns the query, with its arguments, for the tasks, newest first,
// among which those that q asks for are.
func candidates(q task.Query, from, before key, examine int) (query string, args []any) {
	condition, of := matches(q.Filter)
	class := ""
	switch {
	case q.Status == task.DLQ:
		class = "dead = 1 AND "
	case q.Status.Open():
		class = "live = 1 AND "
	}
	// Only the tasks that match have their answers read.
	query = fmt.Sprintf(`SELECT id, status, run, retries, created_at, updated_at, error_type, error_message, labels, %[1]s,
		CASE WHEN %[1]s THEN coalesce(answer, (SELECT body FROM answers WHERE answers.id = tasks.id), '') ELSE '' END
		FROM tasks WHERE %[2]sid >= ? AND id < ? ORDER BY id DESC LIMIT ?`, condition, class)
	return query, append(append(append(args, of...), of...), from[:], before[:], examine)
}

// matches returns task.Filter.Matches as a condition, with its arguments.
func matches(f task.Filter) (condition string, args []any) {
	conditions := []string{"1"}
	add := func(condition string, of ...any) {
		conditions, args = append(conditions, condition), append(args, of...)
	}
	if f.Status != "" {
		add(`status = ?`, string(f.Status))
	}
	if f.ErrorType != "" {
		add(`error_type = ?`, f.ErrorType)
	}
	if f.Label != "" {
		add(`CASE labels WHEN '' THEN 0 ELSE coalesce(labels ->> ? = ?, 0) END`, `$."`+f.Label+`"`, f.LabelValue)
	}
	if !f.CreatedFrom.IsZero() {
		add(`created_at >= ?`, f.CreatedFrom.Milli())
	}
	if !f.CreatedBefore.IsZero() {
		add(`created_at < ?`, f.CreatedBefore.Milli())
	}
	if !f.UpdatedBefore.IsZero() {
		add(`updated_at < ?`, f.UpdatedBefore.Milli())
	}
	return strings.Join(conditions, " AND "), args
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
	first, end := q.Bounds()
	from, before := key{}, newest
	if first != "" {
		if from, err = keyOf(first); err != nil {
			return page, err
		}
	}
	if end != "" {
		if before, err = keyOf(end); err != nil {
			return page, err
		}
	}
	examine := q.Limit + 1
	if q.Filter != (task.Filter{}) {
		examine = max(maxExamined, examine)
	}
	query, args := candidates(q, from, before, examine)
	rows, err := db.reader.QueryContext(ctx, query, args...)
	if err != nil {
		return page, err
	}
	defer rows.Close()
	bytes, examined := 0, 0
	var last task.ID // examined, and on the page if it matches
	for rows.Next() {
		t, matches, err := scanListed(rows)
		if err != nil {
			return page, err
		}
		examined++
		if matches {
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

func scanListed(rows *sql.Rows) (t task.Task, matches bool, err error) {
	var id []byte
	var labels string
	var created, updated int64
	err = rows.Scan(&id, &t.Status, &t.Run, &t.Retries, &created, &updated, &t.ErrorType, &t.ErrorMessage, &labels, &matches, &t.Answer)
	if err != nil {
		return t, false, err
	}
	u, err := uuid.FromBytes(id)
	if err != nil {
		return t, false, err
	}
	t.ID = task.ID(u.String())
	t.CreatedAt, t.UpdatedAt = task.AtMilli(created), task.AtMilli(updated)
	if labels != "" {
		err = json.Unmarshal([]byte(labels), &t.Labels)
	}
	return t, matches, err
}

// Counts implements task.Store. The writer keeps count; the oldest open task is the
// first of an index.
func (db *DB) Counts(ctx context.Context) (task.Counts, error) {
	counts := task.Counts{Tasks: map[task.Status]int{}, AsOf: task.At(time.Now())}
	for i, status := range task.Statuses {
		counts.Tasks[status] = int(db.writer.counts[i].Load())
	}
	err := db.read(Operation{Name: "Counts"}, func() error {
		var id []byte
		err := db.reader.QueryRowContext(ctx, selectOldest).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		u, errID := uuid.FromBytes(id)
		counts.OldestOpen = task.ID(u.String()).Time()
		return errors.Join(err, errID)
	})
	return counts, err
}

const selectOldest = `SELECT id FROM tasks WHERE live = 1 AND status IN ('PENDING', 'PROCESSING', 'FAILED') ORDER BY id LIMIT 1`

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
