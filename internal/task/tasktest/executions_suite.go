package tasktest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tasks/internal/task"
)

// ExecutionsUnderTest is an implementation of task.Executions and a way to
// bring what it runs to an end.
type ExecutionsUnderTest struct {
	task.Executions
	// Prepare makes the record of m's task, PENDING in that run, where the
	// implementation needs one; nil if it needs none.
	Prepare func(t *testing.T, m task.Message)
	// End ends the running execution of m, in whatever way this implementation
	// can be made to, and returns how it ended.
	End func(m task.Message) task.ExecutionOutcome
}

// ExerciseExecutions runs the conformance suite of task.Executions. What open
// returns must leave an execution running until End.
func ExerciseExecutions(t *testing.T, open func(t *testing.T) ExecutionsUnderTest) {
	x := open(t)
	newMessage := func(t *testing.T) task.Message {
		m := task.Message{TaskID: newIDAt(t, time.Now()), Run: 1}
		if x.Prepare != nil {
			x.Prepare(t, m)
		}
		return m
	}
	start := func(t *testing.T, m task.Message) {
		t.Helper()
		if err := x.Start(t.Context(), m); err != nil {
			t.Fatalf("Start %s: %v", m.ExecutionName(), err)
		}
	}
	wantStatus := func(t *testing.T, m task.Message, want task.ExecutionOutcome) {
		t.Helper()
		eventually(t, func() string {
			got, err := x.Status(t.Context(), m)
			if err != nil {
				return fmt.Sprintf("Status: %v", err)
			}
			if got != want {
				return fmt.Sprintf("Status: got %+v, want %+v", got, want)
			}
			return ""
		})
	}
	running := task.ExecutionOutcome{Status: task.ExecutionRunning}

	t.Run("starts an execution", func(t *testing.T) {
		t.Parallel()
		m := newMessage(t)
		start(t, m)
		wantStatus(t, m, running)
	})
	t.Run("starts what runs already without doing it twice", func(t *testing.T) {
		t.Parallel()
		m := newMessage(t)
		for range 3 {
			start(t, m)
		}
		wantStatus(t, m, running)
		started := 0
		for _, e := range history(t, x, m) {
			if e.Type == "ExecutionStarted" {
				started++
			}
		}
		if started != 1 {
			t.Errorf("got %d ExecutionStarted events, want 1", started)
		}
	})
	t.Run("does not start an execution that has ended", func(t *testing.T) {
		t.Parallel()
		m := newMessage(t)
		start(t, m)
		wantStatus(t, m, running)
		ended := x.End(m)
		wantStatus(t, m, ended)
		wantKind(t, "Start", x.Start(t.Context(), m), task.Closed)
		wantStatus(t, m, ended)
	})
	t.Run("knows no execution that was not started", func(t *testing.T) {
		t.Parallel()
		m := newMessage(t)
		_, err := x.Status(t.Context(), m)
		wantKind(t, "Status", err, task.NotFound)
		_, err = x.History(t.Context(), m)
		wantKind(t, "History", err, task.NotFound)
	})
	t.Run("tells the history, oldest first", func(t *testing.T) {
		t.Parallel()
		m := newMessage(t)
		start(t, m)
		wantStatus(t, m, running)
		ended := x.End(m)
		wantStatus(t, m, ended)
		events := history(t, x, m)
		if events[0].Type != "ExecutionStarted" {
			t.Errorf("the first event is %s, want ExecutionStarted", events[0].Type)
		}
		if !slices.IsSortedFunc(events, func(a, b event) int { return a.ID - b.ID }) || events[0].ID != 1 {
			t.Errorf("the ids of the events don't rise from 1: %+v", events)
		}
		last := events[len(events)-1].Type
		if want := endEvents[ended.Status]; last != want {
			t.Errorf("the last event is %s, want %s", last, want)
		}
	})
}

var endEvents = map[task.ExecutionStatus]string{
	task.ExecutionSucceeded: "ExecutionSucceeded",
	task.ExecutionFailed:    "ExecutionFailed",
	task.ExecutionTimedOut:  "ExecutionTimedOut",
	task.ExecutionAborted:   "ExecutionAborted",
}

// event is what every HistoryEvent of Step Functions has.
type event struct {
	ID              int       `json:"id"`
	PreviousEventID int       `json:"previousEventId"`
	Timestamp       time.Time `json:"timestamp"`
	Type            string    `json:"type"`
}

func history(t *testing.T, x task.Executions, m task.Message) []event {
	t.Helper()
	raw, err := x.History(t.Context(), m)
	if err != nil || len(raw) == 0 {
		t.Fatalf("History: got %d events, %v, want some", len(raw), err)
	}
	var events []event
	for _, r := range raw {
		var e event
		if err := json.Unmarshal(r, &e); err != nil {
			t.Fatalf("History: %v in %s", err, r)
		}
		if e.Type == "" || e.Timestamp.IsZero() || e.PreviousEventID >= e.ID {
			t.Errorf("History: not a HistoryEvent: %s", r)
		}
		if e.Type == "ExecutionStarted" && !strings.Contains(string(r), string(m.TaskID)) {
			t.Errorf("History: the execution's input is not the message: %s", r)
		}
		events = append(events, e)
	}
	return events
}
