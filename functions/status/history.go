package status

import (
	"context"
	"encoding/json"

	"tasks/internal/api"
	"tasks/internal/task"
)

// maxHistoryBytes bounds the events of an answer, so that it fits Lambda's
// response of 6 MB, in which each quote of them has a backslash. A task that was
// throttled for hours has thousands of events.
const maxHistoryBytes = 3_000_000

func (h *Handler) history(ctx context.Context, t task.Task) (api.History, error) {
	events, err := h.Executions.History(ctx, t.Message())
	switch task.KindOf(err) {
	case task.NotFound, task.Unsupported:
		return api.History{Events: eventsOf(t), Source: "attempts"}, nil
	}
	if err != nil {
		return api.History{}, err
	}
	history := api.History{Events: []json.RawMessage{}, Source: "execution"}
	size := 0
	for _, event := range events {
		if size += len(event); size > maxHistoryBytes {
			history.Truncated = true
			break
		}
		history.Events = append(history.Events, event)
	}
	return history, nil
}

// taskEvent is a HistoryEvent of a Task state that calls lambda:invoke.
type taskEvent struct {
	Timestamp       task.Time    `json:"timestamp"`
	Type            string       `json:"type"`
	ID              int          `json:"id"`
	PreviousEventID int          `json:"previousEventId"`
	Started         *taskDetails `json:"taskStartedEventDetails,omitempty"`
	Succeeded       *taskDetails `json:"taskSucceededEventDetails,omitempty"`
	Failed          *taskDetails `json:"taskFailedEventDetails,omitempty"`
}

type taskDetails struct {
	ResourceType string `json:"resourceType"`
	Resource     string `json:"resource"`
	Error        string `json:"error,omitempty"`
	Cause        string `json:"cause,omitempty"`
}

// eventsOf returns what the attempts of t's current run tell of its history.
func eventsOf(t task.Task) []json.RawMessage {
	events := []json.RawMessage{}
	add := func(e taskEvent) {
		e.ID, e.PreviousEventID = len(events)+1, len(events)
		b, err := json.Marshal(e)
		if err != nil {
			panic(err) // strings, ints and times always marshal
		}
		events = append(events, b)
	}
	for _, a := range t.Attempts {
		if a.Run != t.Run {
			continue
		}
		details := taskDetails{ResourceType: "lambda", Resource: "invoke"}
		add(taskEvent{Timestamp: a.StartedAt, Type: "TaskStarted", Started: &details})
		switch {
		case a.FinishedAt.IsZero(): // it runs
		case a.ErrorType == "":
			add(taskEvent{Timestamp: a.FinishedAt, Type: "TaskSucceeded", Succeeded: &details})
		default:
			failed := details
			failed.Error, failed.Cause = a.ErrorType, a.ErrorMessage
			add(taskEvent{Timestamp: a.FinishedAt, Type: "TaskFailed", Failed: &failed})
		}
	}
	return events
}
