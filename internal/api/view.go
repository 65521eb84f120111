package api

import (
	"encoding/json"

	"tasks/internal/task"
)

// Accepted is the answer to a request that put a task on the queue.
type Accepted struct {
	TaskID  task.ID     `json:"taskId"`
	Run     int         `json:"run,omitzero"`
	Status  task.Status `json:"status"`
	Message string      `json:"message"`
}

// Batch is the answer to a batch of tasks.
type Batch struct {
	Results []BatchResult `json:"results"` // in the order of the tasks
}

// BatchResult is what became of one task of a batch.
type BatchResult struct {
	Status   int     `json:"status"` // 202, or what it would be refused with alone
	TaskID   task.ID `json:"taskId,omitempty"`
	Replayed bool    `json:"replayed,omitempty"` // it was accepted before, with the same key
	Detail   string  `json:"detail,omitempty"`   // why it was refused, and what to do
}

// Summary is a task in a listing.
type Summary struct {
	TaskID       task.ID           `json:"taskId"`
	Answer       string            `json:"answer"`
	Labels       map[string]string `json:"labels,omitempty"`
	Status       task.Status       `json:"status"`
	Retries      int               `json:"retries"`
	CreatedAt    task.Time         `json:"createdAt"`
	UpdatedAt    task.Time         `json:"updatedAt"`
	ErrorType    string            `json:"errorType"`    // "" if there is none
	ErrorMessage string            `json:"errorMessage"` // the same
}

// SummaryOf returns t as a listing shows it.
func SummaryOf(t task.Task) Summary {
	return Summary{
		TaskID: t.ID, Answer: t.Answer, Labels: t.Labels, Status: t.Status, Retries: t.Retries,
		CreatedAt: t.CreatedAt, UpdatedAt: t.UpdatedAt, ErrorType: t.ErrorType, ErrorMessage: t.ErrorMessage,
	}
}

// History is what happened to a task in its current run.
type History struct {
	// Events are in the shape of the Step Functions HistoryEvent, oldest first.
	Events []json.RawMessage `json:"events"`
	// Source tells where they come from: "execution" is the workflow's own
	// history, "attempts" means that there is none (not started yet, expired,
	// or EXPRESS) and that they were made of the record's attempts.
	Source string `json:"source"`
	// Truncated tells that later events were left out.
	Truncated bool `json:"truncated,omitempty"`
}

// Detail is a task by itself.
type Detail struct {
	Summary
	Run         int    `json:"run"`
	ExecutionID string `json:"executionId"` // "" until an execution claims the run
	// NextAttemptAt is when a delayed task, or the retry that one waits for, is due.
	NextAttemptAt task.Time `json:"nextAttemptAt,omitzero"`
	Attempts      []Attempt `json:"attempts"`
}

// Attempt is one start of the worker.
type Attempt struct {
	task.Attempt
	// DurationMillis is how long it took; nil while it runs.
	DurationMillis *int64 `json:"durationMillis,omitempty"`
}

// DetailOf returns t in full.
func DetailOf(t task.Task) Detail {
	d := Detail{
		Summary: SummaryOf(t), Run: t.Run, ExecutionID: t.ExecutionID,
		NextAttemptAt: t.NextAttemptAt, Attempts: make([]Attempt, len(t.Attempts)),
	}
	for i, a := range t.Attempts {
		d.Attempts[i].Attempt = a
		if !a.FinishedAt.IsZero() {
			took := a.FinishedAt.Sub(a.StartedAt.Time).Milliseconds()
			d.Attempts[i].DurationMillis = &took
		}
	}
	return d
}

// Stats are how many tasks there are.
type Stats struct {
	Counts map[task.Status]int `json:"counts"` // by status, each there
	AsOf   task.Time           `json:"asOf,omitzero"`
	// OldestOpenAt is when the oldest task that is not final was created.
	OldestOpenAt task.Time `json:"oldestOpenAt,omitzero"`
}

// StatsOf returns counts as the API shows them.
func StatsOf(c task.Counts) Stats {
	return Stats{Counts: c.Tasks, AsOf: c.AsOf, OldestOpenAt: c.OldestOpen}
}

// Redriven is the answer to a redrive of many tasks.
type Redriven struct {
	DryRun bool           `json:"dryRun"`
	Tasks  []task.Message `json:"tasks"` // that have a new run, or would have: with their runs
	// DiedBefore is to be sent with NextToken.
	DiedBefore task.Time `json:"diedBefore"`
	NextToken  string    `json:"nextToken,omitempty"` // none when all were looked at
}

// List is a page of tasks.
type List struct {
	Tasks []Summary `json:"tasks"`
	// NextToken is the nextToken parameter of the next page; there is none on
	// the last.
	NextToken string `json:"nextToken,omitempty"`
}
