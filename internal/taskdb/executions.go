package taskdb

import (
	"context"

	"tasks/internal/task"
)

// Execution is the workflow execution of a task's run, as it is kept.
type Execution struct {
	task.Message
	Status     task.ExecutionStatus
	Definition int64  // the id of the definition under which it was started
	Journal    []byte // the events that drove it, in order
}

// Definition returns the id of a state machine definition, which is kept for
// ever.
func (db *DB) Definition(ctx context.Context, body string) (id int64, err error) {
	err = db.write(ctx, Operation{Name: "Definition"}, func(tx *tx) error {
		if _, err := tx.exec(`INSERT INTO definitions (body) VALUES (?) ON CONFLICT DO NOTHING`, body); err != nil {
			return err
		}
		s, err := tx.stmt(`SELECT id FROM definitions WHERE body = ?`)
		if err != nil {
			return err
		}
		return s.QueryRow(body).Scan(&id)
	})
	return id, err
}

// DefinitionBody is the inverse of Definition.
func (db *DB) DefinitionBody(ctx context.Context, id int64) (body string, err error) {
	err = db.read(Operation{Name: "DefinitionBody"}, func() error {
		return db.reader.QueryRowContext(ctx, `SELECT body FROM definitions WHERE id = ?`, id).Scan(&body)
	})
	return body, err
}

// StartExecution keeps the beginning of an execution and takes the message that
// asked for it off the queue, in one. In a Chain it returns when that is applied.
// It tells whether it did: it doesn't if the execution runs already. The error is
// of kind Closed if it has ended, the task has gone on without it, or there is no
// task: the message was received before its creation failed.
func (db *DB) StartExecution(ctx context.Context, e Execution) (started bool, err error) {
	err = db.change(ctx, Operation{Name: "StartExecution", Task: e.TaskID, early: true, ahead: true}, func(tx *tx, r *row) (bool, error) {
		switch {
		case r.Run != e.Run || !r.Status.Open() || r.execution != "" && r.execution != task.ExecutionRunning:
			return false, task.Errorf(task.Closed, "execution %s has ended", e.ExecutionName())
		case r.execution == task.ExecutionRunning:
			return false, nil
		}
		r.execution, r.definition, r.journal = e.Status, e.Definition, e.Journal
		r.visibleAt, r.receives = 0, 0
		tx.onCommit(func() { db.queue.forget(r.key, r.Run) })
		started = true
		return true, nil
	})
	if task.IsKind(err, task.NotFound) {
		err = task.Errorf(task.Closed, "execution %s has no task", e.ExecutionName())
	}
	return started, err
}

// SaveExecution keeps the journal and the status of an execution that was
// started. The error is of kind Closed if the task has gone on without it.
func (db *DB) SaveExecution(ctx context.Context, e Execution) error {
	return db.change(ctx, Operation{Name: "SaveExecution", Task: e.TaskID}, func(_ *tx, r *row) (bool, error) {
		if r.Run != e.Run || r.execution != task.ExecutionRunning {
			return false, task.Errorf(task.Closed, "execution %s has ended", e.ExecutionName())
		}
		r.execution, r.journal = e.Status, e.Journal
		return true, nil
	})
}

// Execution returns the execution of a task's run. The error is of kind
// NotFound if there is none.
func (db *DB) Execution(ctx context.Context, m task.Message) (Execution, error) {
	k, err := keyOf(m.TaskID)
	if err != nil {
		return Execution{}, err
	}
	var r *row
	err = db.read(Operation{Name: "Execution", Task: m.TaskID}, func() (err error) {
		r, err = scanRow(db.getTask.QueryRowContext(ctx, k[:]))
		return err
	})
	if err != nil {
		return Execution{}, err
	}
	if r.Run != m.Run || r.execution == "" {
		return Execution{}, task.Errorf(task.NotFound, "there is no execution %s", m.ExecutionName())
	}
	return r.asExecution(), nil
}

func (r *row) asExecution() Execution {
	return Execution{Message: r.Message(), Status: r.execution, Definition: r.definition, Journal: r.journal}
}

const selectRunning = `SELECT ` + rowColumns + ` FROM tasks WHERE live = 1 AND execution = 'RUNNING' ORDER BY id`

// RunningExecutions calls f with each execution that has not ended, and tells it whether
// the task was interrupted before.
func (db *DB) RunningExecutions(ctx context.Context, f func(e Execution, interrupted bool) error) error {
	return db.read(Operation{Name: "RunningExecutions"}, func() error {
		rows, err := db.reader.QueryContext(ctx, selectRunning)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			r, err := scanRow(rows)
			if err != nil {
				return err
			}
			if err := f(r.asExecution(), r.WasInterrupted()); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}
