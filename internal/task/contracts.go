package task

import (
	"context"
	"encoding/json"
)

// Store keeps the records. Every method is atomic and durable when it returns
// without an error, and safe for concurrent use. (Finish may be durable later, if
// nothing that depends on it is durable before: see taskdb.Chain.) An error of kind
// Unavailable means that the change may have happened or not; the same request may
// be sent again. A method that takes an id gives an error of kind NotFound for one
// that is not there, and creates nothing.
type Store interface {
	// Create adds the records of new tasks, 1 to MaxBatch, and tells of each
	// what became of it. Each is created or not, whatever becomes of the others.
	// Where it can it puts a task's message on the queue in the same transaction;
	// where not, the caller sends it. Of all submissions with the same key the
	// first is created, and the key kept with it, in the same transaction, for
	// KeyLife; those that ask for the same get the first one's id, and others an
	// error of kind KeyReused.
	Create(ctx context.Context, submissions ...Submission) []Created
	// Get returns a record, read consistently.
	Get(ctx context.Context, id ID) (Task, error)
	// List returns a page of tasks, newest first. Of each it fills ID, Answer, Labels,
	// Status, Run, Retries, CreatedAt, UpdatedAt, ErrorType and ErrorMessage.
	List(ctx context.Context, q Query) (Page, error)
	// Counts returns how many tasks there are. It reads none of them.
	Counts(ctx context.Context) (Counts, error)
	// Claim applies Task.Claim. It returns the record after it, whole if the
	// outcome is ClaimRun and at least with its error otherwise.
	Claim(ctx context.Context, r ClaimRequest) (ClaimOutcome, Task, error)
	// Finish applies Task.Finish.
	Finish(ctx context.Context, r FinishRequest) error
	// MarkDead applies Task.MarkDead. A task that is not there is Stale.
	// It returns the record after it, without its answer.
	MarkDead(ctx context.Context, r MarkRequest) (MarkOutcome, Task, error)
	// Redrive applies Task.Redrive; queued is as Create's.
	Redrive(ctx context.Context, m Message, now Time) (t Task, queued bool, err error)
	// Restart applies Task.Restart; queued is as Create's.
	Restart(ctx context.Context, m Message, now Time) (t Task, queued bool, err error)
	// Due returns open tasks whose NextCheckAt is not after now, at most
	// limit, without their answers. It may miss some for a while.
	Due(ctx context.Context, now Time, limit int) ([]Task, error)
	// Defer applies Task.Defer.
	Defer(ctx context.Context, m Message, now Time) error
	// Quarantine keeps a message that could not be parsed. The same id twice
	// is one message.
	Quarantine(ctx context.Context, m Quarantined) error
}

// Quarantined is a message that could not be parsed.
type Quarantined struct {
	MessageID  string
	Body       string // whole
	ReceivedAt Time
	ExpiresAt  Time
}

// Limits of a page.
const (
	MaxPageTasks = 100
	// MaxPageBytes bounds the answers of a page, so that it fits Lambda's
	// response of 6 MB even if JSON has to escape every byte of them, twice (a
	// body is a JSON string in the response), and of MaxPageTasks error
	// messages too. The first task is always returned.
	MaxPageBytes = 640 << 10
)

// Page is a part of a listing. It may be shorter than the limit, or empty,
// although there is more: what it costs is bounded.
type Page struct {
	Tasks []Task
	// Next is the Before of the next page, and empty when there is none.
	Next ID
}

// Queue is where the tasks' messages wait for the poller. Delivery is at least
// once, in no order.
type Queue interface {
	// Send puts messages on the queue. If the error is not nil, some may be on it.
	Send(ctx context.Context, messages ...Outgoing) error
}

// DeadLetterQueue is where messages wait for the monitor.
type DeadLetterQueue interface {
	// Send puts a body on the queue: a DeadLetter's, or whatever else arrived.
	Send(ctx context.Context, body string) error
}

// ExecutionStatus is where an execution stands, as Step Functions names it.
type ExecutionStatus string

// The execution statuses.
const (
	ExecutionRunning   ExecutionStatus = "RUNNING"
	ExecutionSucceeded ExecutionStatus = "SUCCEEDED"
	ExecutionFailed    ExecutionStatus = "FAILED"
	ExecutionTimedOut  ExecutionStatus = "TIMED_OUT"
	ExecutionAborted   ExecutionStatus = "ABORTED"
)

// Executions are the workflow executions, one a run. The one of an earlier run
// may be forgotten.
type Executions interface {
	// Start starts the execution of m, with m as its input. It succeeds when
	// that execution runs already; of EXPRESS there are two then, of which
	// Store.Claim lets one have the task. The error is of kind Closed if it has
	// ended, and Unavailable if the service throttles or can't be reached.
	Start(ctx context.Context, m Message) error
	// Status returns the status of m's execution and, if it failed, its error
	// and cause. The error is of kind NotFound if there is none, and
	// Unsupported if executions of this type can't be asked.
	Status(ctx context.Context, m Message) (ExecutionOutcome, error)
	// History returns the events of m's execution, oldest first, each in the
	// JSON shape of the Step Functions HistoryEvent. Errors are as Status's.
	History(ctx context.Context, m Message) ([]json.RawMessage, error)
}

// ExecutionOutcome is an execution's status and why it ended so.
type ExecutionOutcome struct {
	Status ExecutionStatus
	Error  string
	Cause  string
}

// Metric names a count that the functions report.
type Metric string

// The metrics. All are counts.
const (
	// DeadLettered counts dead letters by the monitor's reckoning: marked or
	// malformed.
	DeadLettered Metric = "DeadLettered"
	// FailedStarts counts messages for which no execution could be started.
	FailedStarts Metric = "FailedStarts"
	// Reconciled counts tasks that reconcile had to act on.
	Reconciled Metric = "Reconciled"
)

// Metrics takes counts. They are at least once: a caller that is retried counts
// again.
type Metrics interface {
	Count(ctx context.Context, m Metric, n int) error
}
