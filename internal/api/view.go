package api

import "tasks/internal/task"

// Accepted is the answer to a request that put a task on the queue.
type Accepted struct {
	TaskID  task.ID     `json:"taskId"`
	Run     int         `json:"run,omitzero"`
	Status  task.Status `json:"status"`
	Message string      `json:"message"`
}

// Summary is a task in a listing.
type Summary struct {
	TaskID       task.ID     `json:"taskId"`
	Answer       string      `json:"answer"`
	Status       task.Status `json:"status"`
	Retries      int         `json:"retries"`
	CreatedAt    task.Time   `json:"createdAt"`
	UpdatedAt    task.Time   `json:"updatedAt"`
	ErrorMessage string      `json:"errorMessage"` // "" if there is none
}

// SummaryOf returns t as a listing shows it.
func SummaryOf(t task.Task) Summary {
	return Summary{
		TaskID: t.ID, Answer: t.Answer, Status: t.Status, Retries: t.Retries,
		CreatedAt: t.CreatedAt, UpdatedAt: t.UpdatedAt, ErrorMessage: t.ErrorMessage,
	}
}

// Detail is a task by itself.
type Detail struct {
	Summary
	Run         int            `json:"run"`
	ErrorType   string         `json:"errorType"`
	ExecutionID string         `json:"executionId"` // "" until an execution claims the run
	Attempts    []task.Attempt `json:"attempts"`
}

// DetailOf returns t in full.
func DetailOf(t task.Task) Detail {
	return Detail{
		Summary: SummaryOf(t), Run: t.Run, ErrorType: t.ErrorType,
		ExecutionID: t.ExecutionID, Attempts: append([]task.Attempt{}, t.Attempts...),
	}
}

// List is a page of tasks.
type List struct {
	Tasks []Summary `json:"tasks"`
	// NextToken is the nextToken parameter of the next page; there is none on
	// the last.
	NextToken string `json:"nextToken,omitempty"`
}
