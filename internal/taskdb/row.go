package taskdb

import (
	"database/sql"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"tasks/internal/task"
)

// key is a task id as the file keeps it.
type key = [16]byte

// keyOf returns the key of an id. The error is of kind NotFound: what has no
// valid id is not there.
func keyOf(id task.ID) (key, error) {
	u, err := uuid.Parse(string(id))
	if err != nil {
		return key{}, notFound(id)
	}
	return u, nil
}

func notFound(id task.ID) error { return task.Errorf(task.NotFound, "there is no task %s", id) }

// row is a row of table tasks.
type row struct {
	task.Task
	key         key
	largeAnswer bool // Answer is in table answers, not here

	visibleAt int64
	receives  int

	execution  task.ExecutionStatus
	definition int64
	journal    []byte

	stored stored
}

// stored is what the file has, as far as it decides what an update writes and how the
// counts change.
type stored struct {
	status  task.Status
	rare    rare
	indexed indexed
}

// rare are the values of rareColumns.
type rare struct {
	run, retries, checks, receives int
	errorType, errorMessage        string
	nextAttempt                    int64
}

// indexed are the values of indexedColumns: live, dead and nextCheck are what the
// partial indexes go by.
type indexed struct {
	live, dead         bool
	nextCheck, expires int64
}

// asStored returns what the file has when r is written.
func (r *row) asStored() stored { return stored{r.Status, r.rare(), r.indexed()} }

func (r *row) rare() rare {
	return rare{r.Run, r.Retries, r.Checks, r.receives, r.ErrorType, r.ErrorMessage, r.NextAttemptAt.Milli()}
}

// indexed returns what the row's index entries should be. A row is live while
// it will change again without a user's doing.
func (r *row) indexed() indexed {
	return indexed{
		live:      r.Status.Open() || r.execution == task.ExecutionRunning,
		dead:      r.Status == task.DLQ,
		nextCheck: r.NextCheckAt.Milli(),
		expires:   r.ExpiresAt.Milli(),
	}
}

// size returns about how many bytes the row takes in memory.
func (r *row) size() int {
	const (
		fixed   = 700 // the struct, its place in a map, ids and names
		attempt = 200
		label   = 50
	)
	size := fixed + len(r.Answer) + len(r.ErrorMessage) + cap(r.journal)
	for key, value := range r.Labels {
		size += label + len(key) + len(value)
	}
	for _, a := range r.Attempts {
		size += attempt + len(a.ErrorMessage)
	}
	return size
}

// beginRun sets what is not the Task's to how a run begins: no execution, and a message
// that can be received from that time on.
func (r *row) beginRun(visibleAt int64) {
	r.visibleAt, r.receives = visibleAt, 0
	r.execution, r.definition, r.journal = "", 0, nil
}

const rowColumns = `id, status, run, retries, created_at, updated_at, next_check_at, checks, expires_at, lease_until,
	owner, execution_id, error_type, error_message, attempts, answer, visible_at, receives, execution, definition, journal,
	live, dead, labels, next_attempt_at`

const selectRow = `SELECT ` + rowColumns + ` FROM tasks WHERE id = ?`

// newColumns are the columns in which the row of a new task, as task.New makes it, has
// values of its own; in sameColumns it has sameValues.
const (
	newColumns  = `id, created_at, updated_at, next_check_at, answer, visible_at, labels, next_attempt_at`
	sameColumns = `status, run, live, retries, checks, expires_at, lease_until, owner, execution_id, error_type, error_message, attempts, receives, execution, definition, journal, dead`
	sameValues  = `'PENDING', 1, 1, 0, 0, 0, 0, '', '', '', '', '', 0, '', 0, x'', 0`
)

// insertRow writes the row of a new task.
const insertRow = `INSERT INTO tasks (` + newColumns + `, ` + sameColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ` + sameValues + `) ON CONFLICT DO NOTHING`

// ahead is a live row and those after it. Of them selectNew reads those that are as
// insertRow has left them, which most on the queue are, and selectAhead all.
const (
	ahead       = `FROM tasks WHERE live = 1 AND id >= ? ORDER BY id LIMIT 32`
	selectNew   = `SELECT ` + newColumns + ` FROM (SELECT * ` + ahead + `) WHERE (` + sameColumns + `) = (` + sameValues + `)`
	selectAhead = `SELECT ` + rowColumns + ` ` + ahead
)

// The columns that an update writes: those that every step of a task changes, those
// that few change, and those that the indexes go by, with expires_at, which changes when
// they do. SQLite rewrites an index entry whenever a column of its condition is set, to
// whatever value.
const (
	stepColumns    = `status = ?, updated_at = ?, lease_until = ?, owner = ?, execution_id = ?, attempts = ?, visible_at = ?, execution = ?, definition = ?, journal = ?`
	rareColumns    = `, run = ?, retries = ?, checks = ?, receives = ?, error_type = ?, error_message = ?, next_attempt_at = ?`
	indexedColumns = `, live = ?, dead = ?, next_check_at = ?, expires_at = ?`
)

// updateRow are the statements: [with rareColumns][with indexedColumns].
var updateRow = func() (queries [2][2]string) {
	for i, rare := range []string{"", rareColumns} {
		for j, indexed := range []string{"", indexedColumns} {
			queries[i][j] = `UPDATE tasks SET ` + stepColumns + rare + indexed + ` WHERE id = ?`
		}
	}
	return queries
}()

// insertArgs are of the row of a new task.
func (r *row) insertArgs() []any {
	answer := sql.NullString{String: r.Answer, Valid: !r.largeAnswer}
	return []any{r.key[:], r.CreatedAt.Milli(), r.UpdatedAt.Milli(), r.NextCheckAt.Milli(), answer, r.visibleAt, marshalLabels(r.Labels), r.NextAttemptAt.Milli()}
}

// update returns the statement that writes r, and its arguments.
func (r *row) update() (query string, args []any) {
	args = append(make([]any, 0, 22),
		string(r.Status), r.UpdatedAt.Milli(), r.LeaseUntil.Milli(), r.Owner, r.ExecutionID, marshalAttempts(r.Attempts), r.visibleAt, string(r.execution), r.definition, blob(r.journal))
	withRare, withIndexed := 0, 0
	if now := r.rare(); now != r.stored.rare {
		withRare = 1
		args = append(args, now.run, now.retries, now.checks, now.receives, now.errorType, now.errorMessage, now.nextAttempt)
	}
	if now := r.indexed(); now != r.stored.indexed {
		withIndexed = 1
		args = append(args, now.live, now.dead, now.nextCheck, now.expires)
	}
	return updateRow[withRare][withIndexed], append(args, r.key[:])
}

// blob returns b as a value that is not NULL.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// scanner is a *sql.Row or a *sql.Rows.
type scanner interface{ Scan(dest ...any) error }

// scanned are the values of a row that are of another type in the file.
type scanned struct {
	id                                                        []byte
	created, updated, check, expires, leaseUntil, nextAttempt int64
	attempts, labels                                          string
	answer                                                    sql.NullString
	live, dead                                                bool
}

// scanRow reads rowColumns. A row that is not there is an error of kind
// NotFound.
func scanRow(s scanner) (*row, error) {
	var r row
	var v scanned
	err := s.Scan(&v.id, &r.Status, &r.Run, &r.Retries, &v.created, &v.updated, &v.check, &r.Checks, &v.expires, &v.leaseUntil,
		&r.Owner, &r.ExecutionID, &r.ErrorType, &r.ErrorMessage, &v.attempts, &v.answer, &r.visibleAt, &r.receives, &r.execution, &r.definition, &r.journal,
		&v.live, &v.dead, &v.labels, &v.nextAttempt)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, task.Errorf(task.NotFound, "there is no such task")
	}
	if err != nil {
		return nil, err
	}
	return &r, r.set(&v)
}

// scanNew reads newColumns.
func scanNew(s scanner) (*row, error) {
	r := row{Task: task.Task{Status: task.Pending, Run: 1}}
	v := scanned{live: true}
	if err := s.Scan(&v.id, &v.created, &v.updated, &v.check, &v.answer, &r.visibleAt, &v.labels, &v.nextAttempt); err != nil {
		return nil, err
	}
	return &r, r.set(&v)
}

// set sets what was scanned. The error is of kind Damaged: it is of this row alone, and
// not of the file.
func (r *row) set(v *scanned) error {
	u, err := uuid.FromBytes(v.id)
	if err != nil || !r.Status.Valid() || r.Run < 1 {
		return task.Errorf(task.Damaged, "the row of task %x is damaged, status %q, run %d: restore the file from a copy", v.id, r.Status, r.Run)
	}
	r.key, r.ID = u, task.ID(u.String())
	r.CreatedAt, r.UpdatedAt, r.NextCheckAt = task.AtMilli(v.created), task.AtMilli(v.updated), task.AtMilli(v.check)
	r.NextAttemptAt = task.AtMilli(v.nextAttempt)
	r.ExpiresAt, r.LeaseUntil = task.AtMilli(v.expires), task.AtMilli(v.leaseUntil)
	r.Answer, r.largeAnswer = v.answer.String, !v.answer.Valid
	r.stored = r.asStored()
	r.stored.indexed.live, r.stored.indexed.dead = v.live, v.dead
	if v.attempts != "" {
		err = json.NewDecoder(strings.NewReader(v.attempts)).Decode(&r.Attempts)
	}
	if v.labels != "" && err == nil {
		err = json.Unmarshal([]byte(v.labels), &r.Labels)
	}
	if err != nil {
		return task.Errorf(task.Damaged, "the row of task %s is damaged, its attempts or labels (%w): restore the file from a copy", r.ID, err)
	}
	return nil
}

func marshalLabels(labels map[string]string) string {
	if len(labels) == 0 {
		return ""
	}
	b, err := json.Marshal(labels)
	if err != nil {
		panic(err) // strings always marshal
	}
	return string(b)
}

// marshalAttempts returns what json.Marshal does, "" for none, in a third of the time: it
// is the writer's.
func marshalAttempts(attempts []task.Attempt) string {
	if len(attempts) == 0 {
		return ""
	}
	b := make([]byte, 0, 160*len(attempts))
	for i := range attempts {
		a := &attempts[i]
		b = append(b, `,{"number":`...)
		b = strconv.AppendInt(b, int64(a.Number), 10)
		b = append(b, `,"run":`...)
		b = strconv.AppendInt(b, int64(a.Run), 10)
		b = append(b, `,"startedAt":"`...)
		b = append(b, a.StartedAt.String()...)
		if !a.FinishedAt.IsZero() {
			b = append(b, `","finishedAt":"`...)
			b = append(b, a.FinishedAt.String()...)
		}
		b = append(b, `","retryCount":`...)
		b = strconv.AppendInt(b, int64(a.RetryCount), 10)
		if a.ErrorType != "" {
			b = append(append(b, `,"errorType":`...), marshalString(a.ErrorType)...)
		}
		if a.ErrorMessage != "" {
			b = append(append(b, `,"errorMessage":`...), marshalString(a.ErrorMessage)...)
		}
		if a.NotCounted {
			b = append(b, `,"notCounted":true`...)
		}
		b = append(b, '}')
	}
	b[0] = '['
	return string(append(b, ']'))
}

func marshalString(s string) []byte {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // strings always marshal
	}
	return b
}
