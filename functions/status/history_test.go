package status

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tasks/internal/api"
	"tasks/internal/task"
)

func TestHandleShowsTheHistoryOfTheExecution(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	rec := failed(1)
	b.store.Put(rec)
	if err := b.executions.Start(t.Context(), rec.Message()); err != nil {
		t.Fatal(err)
	}
	status, body := b.get(api.HistoryRoute, string(rec.ID), "")
	events := body["events"].([]any)
	if status != 200 || body["source"] != "execution" || len(events) != 1 || events[0].(map[string]any)["type"] != "ExecutionStarted" {
		t.Errorf("got %d %v, want the execution's one event", status, body)
	}
}

func TestHandleMakesAHistoryOfTheAttempts(t *testing.T) {
	t.Parallel()
	event := func(id float64, at, eventType, detailsName string, details map[string]any) any {
		details["resourceType"], details["resource"] = "lambda", "invoke"
		return map[string]any{
			"id": id, "previousEventId": id - 1, "timestamp": "2000-01-01T00:00:0" + at + ".000Z", "type": eventType, detailsName: details,
		}
	}
	first := []any{
		event(1, "0", "TaskStarted", "taskStartedEventDetails", map[string]any{}),
		event(2, "1", "TaskFailed", "taskFailedEventDetails", map[string]any{"error": "WorkerError", "cause": "no luck"}),
	}
	retry := func(t *task.Task) {
		t.Claim(task.ClaimRequest{Message: t.Message(), ExecutionID: "execution", RetryCount: 1, Token: "token", Now: task.At(time.Now().Add(3 * time.Second)), Lease: time.Minute})
	}
	started := event(3, "3", "TaskStarted", "taskStartedEventDetails", map[string]any{})
	tests := []struct {
		name    string
		express bool
		change  func(t *task.Task)
		want    []any
	}{
		{"none before the first", false, func(t *task.Task) { *t = task.New(t.ID, "42", time.Now()) }, []any{}},
		{"one that failed", false, func(*task.Task) {}, first},
		{"of an EXPRESS execution", true, func(*task.Task) {}, first},
		{"one that runs", false, retry, []any{first[0], first[1], started}},
		{
			"one that succeeded", false,
			func(t *task.Task) {
				retry(t)
				if _, err := t.Finish(task.FinishRequest{Token: "token", Now: task.At(time.Now().Add(4 * time.Second))}); err != nil {
					panic(err)
				}
			},
			[]any{first[0], first[1], started, event(4, "4", "TaskSucceeded", "taskSucceededEventDetails", map[string]any{})},
		},
		{"none of an earlier run", false, func(t *task.Task) { t.Run = 2 }, []any{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				b.executions.Express = tt.express
				rec := failed(1)
				tt.change(&rec)
				b.store.Put(rec)
				status, body := b.get(api.HistoryRoute, string(rec.ID), "")
				if diff := cmp.Diff(map[string]any{"events": tt.want, "source": "attempts"}, body); diff != "" || status != 200 {
					t.Errorf("status %d, body (-want +got):\n%s", status, diff)
				}
			})
		})
	}
}

// talkative are Executions with a long history.
type talkative struct {
	task.Executions
	events int
}

func (x talkative) History(context.Context, task.Message) ([]json.RawMessage, error) {
	events := make([]json.RawMessage, x.events)
	for i := range events {
		events[i] = json.RawMessage(`{"cause":"` + strings.Repeat("x", 1<<10) + `"}`)
	}
	return events, nil
}

func TestHandleCutsALongHistory(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		events    int
		truncated any
	}{{1000, nil}, {10_000, true}} {
		b := newBench(t)
		b.store.Put(failed(1))
		b.h.Executions = talkative{events: tt.events}
		status, body := b.get(api.HistoryRoute, string(idOf(1)), "")
		n := len(body["events"].([]any))
		if status != 200 || body["truncated"] != tt.truncated || (n < tt.events) != (tt.truncated == true) || n<<10 > maxHistoryBytes {
			t.Errorf("of %d events: got %d with %d, truncated %v", tt.events, status, n, body["truncated"])
		}
	}
}
