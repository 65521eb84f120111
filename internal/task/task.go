package task

import (
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of a record.
const (
	// MaxAnswerBytes bounds an answer, in bytes of UTF-8. It is the payload
	// limit of Step Functions, although payloads never travel through it: what
	// a worker gets here, it gets there.
	MaxAnswerBytes = 256 << 10
	// MaxAttempts is how many attempts a record keeps; older ones go.
	MaxAttempts = 30
	// MaxErrorTypeBytes is where an error's type is cut.
	MaxErrorTypeBytes = 256
	// MaxErrorBytes is where an error message is cut.
	MaxErrorBytes = 2 << 10
	// MaxInterruptions is how often one attempt is cut off until that counts as a
	// failed one; the times before it use up no retry.
	MaxInterruptions = 3
	// FirstCheckAfter is how long after its message was sent an open task is
	// looked at by reconcile for the first time. A queue that is slow for less
	// is never sent a second message, and the redrive policy has had its three
	// receives, 5 minutes apart.
	FirstCheckAfter = 20 * time.Minute
	// MaxCheckAfter is where the doubling of FirstCheckAfter ends.
	MaxCheckAfter = 12 * time.Hour
)

// Status is where a task stands. See the diagram in the package comment.
type Status string

// The statuses.
const (
	Pending    Status = "PENDING"    // queued
	Processing Status = "PROCESSING" // an attempt runs
	Failed     Status = "FAILED"     // an attempt failed; it will be retried, or is on its way to the DLQ
	Processed  Status = "PROCESSED"  // done
	DLQ        Status = "DLQ"        // dead-lettered
)

// Statuses are all statuses, in the order of a task's life.
var Statuses = []Status{Pending, Processing, Failed, Processed, DLQ}

// Valid tells whether s is a status.
func (s Status) Valid() bool { return s.Open() || s == Processed || s == DLQ }

// Open tells whether a task of status s still has something to happen to it
// without a user's doing.
func (s Status) Open() bool { return s == Pending || s == Processing || s == Failed }

// Task is the record of a task.
type Task struct {
	ID     ID
	Answer string            // what the client posted; at most MaxAnswerBytes
	Labels map[string]string // what the client tells its tasks apart by; not to be changed
	Status Status
	// Run grows by one with each redrive or restart; the first is 1.
	Run int
	// Retries counts, in this run, the attempts that count, less one.
	Retries   int
	CreatedAt Time
	UpdatedAt Time
	// ErrorType and ErrorMessage are the last attempt's while the task is
	// FAILED, and the reason for its death while it is in the DLQ.
	ErrorType    string
	ErrorMessage string
	// Attempts are the last MaxAttempts attempts of all runs, oldest first.
	Attempts []Attempt
	// ExecutionID is the workflow execution that claimed the task in this run;
	// empty before the first claim.
	ExecutionID string
	// Owner is the random token of the invocation that claimed the task last
	// in this run. Only it may record an outcome.
	Owner string
	// LeaseUntil is when the owner is dead for certain.
	LeaseUntil Time
	// NextAttemptAt is when the next attempt is due, while a PENDING task is
	// delayed or a FAILED one waits for its retry. Else there is none.
	NextAttemptAt Time
	// NextCheckAt is when reconcile looks at the task if it is still open, and
	// Checks how often it has looked in this run.
	NextCheckAt Time
	Checks      int
	// ExpiresAt is when a finished task may be removed. An open one has none.
	ExpiresAt Time
}

// Message is the queue message of the task's run.
func (t *Task) Message() Message { return Message{TaskID: t.ID, Run: t.Run} }

// Attempt is one start of the worker. Its JSON is the API's and, in storage,
// the record's.
type Attempt struct {
	// Number counts the attempts of a run from 1. One that does not count
	// leaves its number to the next.
	Number     int  `json:"number"`
	Run        int  `json:"run"`
	StartedAt  Time `json:"startedAt"`
	FinishedAt Time `json:"finishedAt,omitzero"` // none while it runs
	// RetryCount is the workflow's count of retries when it started the
	// attempt; it orders the invocations of one execution.
	RetryCount   int    `json:"retryCount"`
	ErrorType    string `json:"errorType,omitempty"`
	ErrorMessage string `json:"errorMessage,omitempty"`
	// NotCounted marks an attempt that was cut off, by the death of its host
	// or of its invocation, and used up no retry.
	NotCounted bool `json:"notCounted,omitempty"`
}

// New returns the record of a task that is accepted now.
func New(id ID, answer string, now time.Time) Task {
	at := At(now)
	return Task{
		ID: id, Answer: answer, Status: Pending, Run: 1,
		CreatedAt: at, UpdatedAt: at, NextCheckAt: at.Plus(FirstCheckAfter),
	}
}

// Cut returns s, cut to at most max bytes at a rune's boundary. What it cuts off
// is not kept in memory.
func Cut(s string, max int) string {
	if len(s) <= max {
		return s
	}
	for max > 0 && !utf8.RuneStart(s[max]) {
		max--
	}
	return strings.Clone(s[:max])
}
